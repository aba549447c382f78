import {
  asMeterId,
  decodePayload,
  Kind,
  type Payload,
  type PayloadToEncode,
  type Signer,
  Source,
  windowOf,
} from '@gridtokenx/protocol';
import { CrashDisk } from '@gridtokenx/testing-kit/crash-disk';
import { quietLog } from '@gridtokenx/testing-kit/quiet-log';
import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { ProfileReader } from '#edge/adapters/modbus/reader.js';
import { openSpool } from '#edge/adapters/spool/spool.js';
import type { Bus, ReadVariant } from '#edge/domain/bus/bus.js';
import { ReadLength } from '#edge/domain/bus/read-length.js';
import { Meter } from '#edge/domain/metering/meter.js';
import type { RegisterJudge, RegisterJudgeOptions } from '#edge/domain/metering/register-judge.js';
import { MeterJournal } from '#edge/domain/signing/meter-journal.js';
import { decodeState, encodeState, FRESH_STATE } from '#edge/domain/signing/meter-state.js';
import { RecoveryScan } from '#edge/domain/signing/recovery.js';
import type { RegisterMap } from '#edge/profiles/profile.js';

const NETWORK = new Uint8Array(8).fill(7);
const METER_BYTES = new Uint8Array(16).fill(5);
const METER = asMeterId(METER_BYTES);
const STATE = '/state/meter.json';
const SEGMENT_BYTES = 1 << 20;
const COST = { charTimeUs: 1, turnaroundUs: 20_000, pauseUs: 0, transport: 'tcp' } as const;
/** The time that a meter needs for an answer, ms. */
const ANSWER_MS = 10;

/** Signatures are not this campaign's subject: no code here verifies one. */
const SIGNER: Signer = { publicKey: new Uint8Array(32).fill(1), sign: () => new Uint8Array(64) };

/** Answers a read with all registers of the meter, or throws `ReadError`. */
export type Answer = () => Uint8Array;

export interface HomeOptions {
  readonly startAtMs: number;
  readonly map: RegisterMap;
  readonly answer: Answer;
  readonly readSerial: (() => Promise<string | null>) | undefined;
  /** The serial number that the meter showed at its enrolment. */
  readonly serial: string;
  readonly limitW: number;
  readonly pollMs: number;
  readonly enrolled: { readonly importWh: bigint; readonly exportWh: bigint };
  readonly makeJudge: ((options: RegisterJudgeOptions) => RegisterJudge) | undefined;
  readonly committed: (payload: Payload) => void;
}

/** One meter of a gateway: the real reader, judge, journal and spool, on a clock and a disk of the test. */
export class Home {
  readonly clock: VirtualClock;
  readonly #options: HomeOptions;
  readonly #disk = new CrashDisk();
  #run: { stop: AbortController; done: Promise<void>; close: () => Promise<void> } | null = null;

  constructor(options: HomeOptions) {
    this.#options = options;
    this.clock = new VirtualClock({ startAtMs: options.startAtMs });
  }

  set isClockKnown(isKnown: boolean) {
    this.clock.reading.uncertainty = isKnown ? 10 : null;
  }
  get isClockKnown(): boolean {
    return this.clock.reading.uncertainty !== null;
  }

  /** Starts a run of the gateway, which enrols the meter when it never was. */
  async start(): Promise<void> {
    const { clock } = this;
    const scan = new RecoveryScan();
    const visit = scan.visit.bind(scan);
    const { spool, damage } = await openSpool(this.#disk, '/spool', clock, visit, SEGMENT_BYTES);
    const saved = await this.#disk.read(STATE);
    const state = saved ? decodeState(Buffer.from(saved).toString('utf8')) : FRESH_STATE;
    const journal = new MeterJournal({ networkId: NETWORK, meterId: METER_BYTES }, state, scan.result(METER), {
      ...{ signer: SIGNER, spool, readingClock: clock.reading, counters: { add: () => {} } },
      gapMs: 3 * this.#options.pollMs,
      store: (next) => this.#disk.replace(STATE, Buffer.from(encodeState(next))),
      committed: ({ payload }) => this.#options.committed(decodePayload(payload)),
    });
    if (!scan.result(METER).enrolment) {
      // The command that enrols stores the serial number, too.
      if (this.#options.readSerial) await journal.identified(this.#options.serial);
      scan.visit(await journal.enrol((seq) => this.#enrolment(seq)));
    }
    const recovered = scan.result(METER);
    const hash = new Uint8Array(16);
    const tornRecords = damage.tornBytes > 0 ? 1 : 0;
    await journal.start(recovered, { softwareHash: hash, configHash: hash, storedThrough: 0n, tornRecords });
    const meter = this.#meter(journal, recovered);
    const stop = new AbortController();
    const done = meter.run(() => this.isClockKnown, stop.signal);
    this.#run = { stop, done, close: () => spool.close() };
  }

  /** Stops the run; everything committed survives. */
  async stop(): Promise<void> {
    const run = this.#run;
    this.#run = null;
    if (!run) return;
    run.stop.abort();
    await this.clock.run(run.done);
    await run.close();
  }

  #meter(journal: MeterJournal, recovered: ReturnType<RecoveryScan['result']>): Meter {
    const { limitW, pollMs, readSerial, makeJudge } = this.#options;
    const { clock } = this;
    const reader = this.#reader();
    return new Meter({
      ...{ name: 'main', profileName: 'simulated', serial: '1', journal, recovered, reader, readSerial },
      limits: {
        importLimitW: limitW,
        exportLimitW: limitW,
        get stepWh() {
          return 2 * Number(reader.stepWh(0n));
        },
      },
      plan: { pollMs, leadMs: 5_000 },
      ...{ readingClock: clock.reading, clock, logger: quietLog, counters: { add: () => {} } },
      ...(makeJudge ? { makeJudge } : {}),
    });
  }

  /** Reads by the gateway's own reader; the bus below always answers in time. */
  #reader(): ProfileReader {
    const { map, answer, pollMs } = this.#options;
    const { clock } = this;
    const bus = {
      ...{ isShared: false, units: new Map(), polls: new Map(), lengths: () => new ReadLength() },
      read: async (_unit: number, _fn: number, [variant]: readonly ReadVariant[]) => {
        await new Promise<void>((resolve) => clock.after(ANSWER_MS, resolve));
        const { address = 0, count = 0 } = variant ?? {};
        const data = answer().subarray(2 * address, 2 * (address + count));
        return { address, data, frame: data };
      },
    } as unknown as Bus;
    const needs = { import: true, export: true };
    const probe = [
      { register: 'voltage', min: 80, max: 300 },
      { register: 'frequency', min: 45, max: 65 },
    ] as const;
    const rest = { readingClock: clock.reading, clock, periodMs: pollMs, cost: COST };
    return new ProfileReader({ bus, unit: 1, profile: map, probe, needs, ...rest });
  }

  #enrolment(seq: bigint): PayloadToEncode {
    return {
      ...{ kind: Kind.enrolment, networkId: NETWORK, meterId: METER_BYTES, seq, owner: new Uint8Array(32) },
      ...this.#options.enrolled,
      ...{ zone: 1, source: Source.solar, role: 0, deviceSigned: false, keyEpoch: 0 },
      window: windowOf(this.#options.startAtMs),
    };
  }
}
