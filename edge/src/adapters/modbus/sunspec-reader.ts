import { sleep } from '@gridtokenx/runtime/core';
import type { ReadOptions, ReadVariant } from '../../domain/bus/bus.js';
import type { LeastPeriod } from '../../domain/metering/period.js';
import { type FurtherSample, type MeterSample, ReadError, ReadFailure } from '../../domain/ports.js';
import { MAINS_CHECKS } from '../../profiles/probe.js';
import type { Bills, SunspecProfile } from '../../profiles/profile.js';
import { type SunspecMap, type SunspecModels, sunspecMap } from '../../profiles/sunspec.js';
import { oddListText, SunspecError, type SunspecRead, sunspecWalk } from '../../profiles/sunspec-walk.js';
import { type LineReader, ProfileReader, type ReaderOptions } from './reader.js';
import { serialReader } from './serial-number.js';

export interface SunspecReaderOptions extends Omit<ReaderOptions, 'profile'> {
  readonly profile: SunspecProfile;
  readonly known: SunspecModels;
  /** Called when the device's registers are found, for the log. */
  readonly found?: (model: number, registers: number) => void;
}

/** Lengths by which a header can be read: the registers behind it are read only to vary the length. */
const HEADER_LENGTHS = 7;
const ADDRESSES = 65_536;
/** Reads of a header without an answer, after which the gateway reads the marker again. */
const ATTEMPTS = 2;
/** Interval of checks for a free length, and longest wait for each header, ms. */
const LOOK_MS = 250;
const MAX_REST_MS = 60_000;

/**
 * Reads a device that lists its own registers (SunSpec). Walks the list at the first read, and again after the device
 * refused its registers. Then reads it like any other meter, by the map of its models.
 */
export class SunspecReader implements LineReader {
  readonly #options: SunspecReaderOptions;
  readonly #readOptions: ReadOptions;
  #reader: ProfileReader | null = null;
  #readSerial: (() => Promise<string | null>) | null = null;
  #finding: Promise<ProfileReader> | null = null;
  #oddities: readonly string[] = [];

  constructor(options: SunspecReaderOptions) {
    this.#options = options;
    const { quarantineMs, timeoutMinMs } = options.profile.limits;
    this.#readOptions = { periodMs: options.periodMs, limits: { quarantineMs, timeoutMinMs } };
  }

  async read(): Promise<MeterSample> {
    const reader = await this.#found();
    try {
      return await reader.read();
    } catch (error) {
      // The registers moved: the device was exchanged, or new firmware lists them elsewhere.
      const isElsewhere = error instanceof ReadError && error.failure === ReadFailure.exception;
      if (isElsewhere) this.#reader = null;
      throw error;
    }
  }

  /** See `ProfileReader.further`. */
  async further(): Promise<FurtherSample | null> {
    return (await this.#found()).further();
  }

  /** Reads the serial number of the device's common model; null where it shows none. Rejects with `ReadError`. */
  async serial(): Promise<string | null> {
    await this.#found();
    return (await this.#readSerial?.()) ?? null;
  }

  stepWh(nearWh: bigint): bigint {
    return this.#reader?.stepWh(nearWh) ?? 1n;
  }

  notes(): string[] {
    const odd = this.#oddities.length > 0 ? [oddListText(this.#oddities)] : [];
    return [...odd, ...(this.#reader?.notes() ?? [])];
  }

  leastPeriod(): LeastPeriod | null {
    return this.#reader?.leastPeriod() ?? null;
  }

  /** Returns the device's reader. Concurrent callers share one walk. */
  async #found(): Promise<ProfileReader> {
    if (this.#reader) return this.#reader;
    this.#finding ??= this.#find().finally(() => {
      this.#finding = null;
    });
    return this.#finding;
  }

  async #find(): Promise<ProfileReader> {
    const { needs, bus, unit, cost, periodMs, found } = this.#options;
    const map = await this.#walk();
    const missing = missingOf(needs, map);
    if (missing)
      throw new ReadError(
        ReadFailure.badReply,
        `its SunSpec model ${map.model} has no register for ${missing}, so it cannot be billed`,
      );
    const reader = new ProfileReader({ ...this.#options, profile: map, probe: MAINS_CHECKS });
    this.#readSerial = serialReader(bus, unit, map, cost, periodMs) ?? null;
    this.#reader = reader;
    found?.(map.model, map.registers.length);
    return reader;
  }

  async #walk(): Promise<SunspecMap> {
    const { profile, known } = this.#options;
    try {
      const walk = sunspecWalk(profile.bases, known);
      let step = walk.next();
      let marker: SunspecRead | null = null;
      while (!step.done) {
        const data: Uint8Array | null = await this.#ask(step.value, marker);
        if (profile.bases.includes(step.value.address)) marker = step.value;
        step = walk.next(data);
      }
      if (!step.value)
        throw new ReadError(ReadFailure.badReply, `shows no SunSpec marker at ${profile.bases.join(', ')}`);
      this.#oddities = step.value.oddities;
      const map = sunspecMap(profile, step.value, known);
      if (map) return map;
      const there = step.value.models.map(({ id }) => id).join(', ');
      throw new ReadError(
        ReadFailure.badReply,
        `has SunSpec models ${there || 'none'}, and none of those that ${profile.id} reads (${profile.sunspecModels.join(', ')})`,
      );
    } catch (error) {
      if (error instanceof SunspecError)
        throw new ReadError(ReadFailure.badReply, `its list of SunSpec models is wrong: ${error.message}`);
      throw error;
    }
  }

  /**
   * Reads a part of the list. Returns null for an exception to the very length that is wanted, and where the device
   * answers for its `marker` and not here. Rejects with `ReadError`.
   */
  async #ask(read: SunspecRead, marker: SunspecRead | null): Promise<Uint8Array | null> {
    try {
      return await this.#header(read);
    } catch (error) {
      const isSilent = error instanceof ReadError && error.failure === ReadFailure.timeout;
      if (!isSilent || !marker || marker.address === read.address) throw error;
      if (!(await this.#header(marker))) throw error;
      return null;
    }
  }

  /**
   * Reads one header, or the marker; null = exception. The list may end at the device's last register: where a longer
   * read raises an exception, reads the header alone.
   */
  async #header({ address, count }: SunspecRead): Promise<Uint8Array | null> {
    let most = this.#options.bus.isShared ? HEADER_LENGTHS : 1;
    let failures = 0;
    for (let restedMs = 0; ; ) {
      const lengths = Array.from({ length: most }, (_, i) => count + i).filter((n) => address + n <= ADDRESSES);
      const variants: ReadVariant[] = lengths.map((n) => ({ address, count: n }));
      try {
        const { data } = await this.#options.bus.read(this.#options.unit, 3, variants, this.#readOptions);
        return data.subarray(0, 2 * count);
      } catch (error) {
        if (!(error instanceof ReadError)) throw error;
        if (error.failure === ReadFailure.exception) {
          if (most === 1) return null;
          most = 1;
        } else if (error.failure === ReadFailure.resting && restedMs < MAX_REST_MS) {
          await sleep(this.#options.clock, LOOK_MS);
          restedMs += LOOK_MS;
        } else if (error.failure !== ReadFailure.timeout || ++failures === ATTEMPTS) throw error;
      }
    }
  }
}

function missingOf(needs: Bills, { bills }: SunspecMap): string | null {
  const missing = (['import', 'export'] as const).filter((key) => needs[key] && !bills[key]);
  return missing.length > 0 ? missing.join(' and ') : null;
}
