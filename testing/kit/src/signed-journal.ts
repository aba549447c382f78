import {
  asMeterId,
  asPublicKeyText,
  asWh,
  asWindow,
  type Enrolment,
  EventCode,
  type MeterEvent,
  type MeterId,
  type MoreValues,
  type Payload,
  Quality,
  type Reading,
  type Signer,
  type Statement,
  type ToEncode,
  windowOf,
  windowStartAtMs,
} from '@gridtokenx/protocol';
import { sodiumSigner } from '@gridtokenx/runtime/node/sodium';
import type { MeterRecord, Registry } from '#oracle/domain/ports.js';
import { KeyJournal, type Signed, sign } from './key-log.js';

export { type Signed, sign as signPayload } from './key-log.js';

export const NETWORK = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
export const INITIAL_WINDOW = asWindow(1_900_000);
export const START_MS = windowStartAtMs(INITIAL_WINDOW);

export function signerOf(number: number): Signer {
  return sodiumSigner(new Uint8Array(32).fill(number));
}

export function meterIdOf(number: number): MeterId {
  return asMeterId(new Uint8Array(16).fill(number));
}

/** Returns an enrolled meter: 10 kW both ways, registers at 5,000 and 1,000 Wh. */
export function meterOf(number: number, changes: Partial<MeterRecord> = {}): MeterRecord {
  return {
    meterId: meterIdOf(number),
    owner: asPublicKeyText(new Uint8Array(32).fill(200)),
    key: signerOf(number).publicKey,
    signer: 'gateway',
    role: 0,
    zone: 1,
    page: 0,
    slot: number,
    importBaselineWh: asWh(5_000n),
    exportBaselineWh: asWh(1_000n),
    importCarriedWh: asWh(0n),
    exportCarriedWh: asWh(0n),
    exportLimitW: 10_000,
    importLimitW: 10_000,
    enrolmentWindow: INITIAL_WINDOW,
    firstWindow: INITIAL_WINDOW,
    keyEpoch: 0,
    source: 1,
    status: 'active',
    registerStepWh: 1,
    ...changes,
  };
}

/** A registry whose content a test decides; newer than every message by default. */
export class FakeRegistry implements Registry {
  asOf = { chainSlot: 1, fetchedAtMs: Number.MAX_SAFE_INTEGER };
  refreshed = 0;
  readonly #meters = new Map<string, MeterRecord>();
  constructor(...meters: MeterRecord[]) {
    for (const meter of meters) this.set(meter);
  }
  set(meter: MeterRecord): void {
    this.#meters.set(meter.meterId, meter);
  }
  remove(meterId: string): void {
    this.#meters.delete(meterId);
  }
  meter(meterId: string): MeterRecord | undefined {
    return this.#meters.get(meterId);
  }
  meters(): readonly MeterRecord[] {
    return [...this.#meters.values()];
  }
  async refresh(): Promise<void> {
    this.refreshed++;
  }
}

/** Builds an honest gateway's messages for one meter, a minute apart; a test alters single messages by `changes`. */
export class JournalBuilder {
  readonly meter: MeterRecord;
  readonly signer: Signer;
  readonly #log: KeyJournal;

  constructor(meter: MeterRecord, signer: Signer) {
    this.meter = meter;
    this.signer = signer;
    const { importBaselineWh: importWh, exportBaselineWh: exportWh } = meter;
    this.#log = new KeyJournal(meter, signer, NETWORK, { timeMs: START_MS, importWh, exportWh });
  }

  get seq(): bigint {
    return this.#log.seq;
  }
  set seq(seq: bigint) {
    this.#log.seq = seq;
  }
  get timeMs(): number {
    return this.#log.state.timeMs;
  }
  set timeMs(timeMs: number) {
    this.#log.state.timeMs = timeMs;
  }
  get importWh(): bigint {
    return this.#log.state.importWh;
  }
  set importWh(importWh: bigint) {
    this.#log.state.importWh = importWh;
  }
  get exportWh(): bigint {
    return this.#log.state.exportWh;
  }
  set exportWh(exportWh: bigint) {
    this.#log.state.exportWh = exportWh;
  }
  get prev(): Uint8Array {
    return this.#log.prev;
  }
  set prev(prev: Uint8Array) {
    this.#log.prev = prev;
  }
  get leaves(): KeyJournal['leaves'] {
    return this.#log.leaves;
  }
  set leaves(leaves: KeyJournal['leaves']) {
    this.#log.leaves = leaves;
  }

  sign(payload: Payload): Signed {
    return sign(payload, this.signer);
  }

  enrolment(changes: Partial<ToEncode<Enrolment>> = {}): Signed {
    return this.#log.enrolment(new Uint8Array(32).fill(200), changes);
  }

  /** Signs a reading one minute later, with higher registers. */
  reading(
    changes: Partial<ToEncode<Reading>> = {},
    rise: { importWh?: bigint; exportWh?: bigint } = { exportWh: 20n },
  ): Signed {
    this.timeMs += 60_000;
    this.importWh += rise.importWh ?? 0n;
    this.exportWh += rise.exportWh ?? 0n;
    return this.#log.reading(changes);
  }

  event(changes: Partial<MeterEvent> = {}): Signed {
    return this.#log.event(EventCode.started, changes);
  }

  moreValues(changes: Partial<MoreValues> = {}): Signed {
    return this.#log.moreValues(changes);
  }

  /** Skips `count` seqs and declares them. */
  gap(count: number, reason: number): Signed {
    const first = this.seq + 1n;
    this.seq += BigInt(count);
    return this.#log.gap(first, count, reason);
  }

  /** Signs the statement of the window that holds the last reading; time advances to its end. */
  statement(changes: Partial<ToEncode<Statement>> = {}): Signed {
    // Only a gateway combines the quality of its readings.
    return this.#log.statement(windowOf(this.timeMs), { quality: Quality.gatewaySigned, ...changes });
  }

  /** Builds the enrolment, then `windows` windows of `readings` readings each. */
  honest(windows: number, readings = 3): Signed[] {
    const log = [this.enrolment()];
    for (let w = 0; w < windows; w++) {
      for (let r = 0; r < readings; r++) log.push(this.reading());
      log.push(this.statement());
    }
    return log;
  }
}
