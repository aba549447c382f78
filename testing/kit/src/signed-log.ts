import {
  base58Encode,
  type Enrolment,
  EventCode,
  encodePayload,
  encodeSign1,
  Kind,
  MerkleBuilder,
  type MeterEvent,
  type Payload,
  type Reading,
  type Signer,
  type Statement,
  shortHash,
  sigStructure,
  toHex,
  windowEndMs,
  windowStartMs,
} from '@gridtokenx/protocol';
import { sodiumSigner } from '@gridtokenx/runtime/node/sodium';
import type { MeterRecord, Registry } from '#oracle/domain/ports.js';

export const NETWORK = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
export const FIRST_WINDOW = 1_900_000;
export const START_MS = windowStartMs(FIRST_WINDOW);

export function signerOf(number: number): Signer {
  return sodiumSigner(new Uint8Array(32).fill(number));
}

export function meterIdOf(number: number): string {
  return toHex(new Uint8Array(16).fill(number));
}

/** An enrolled meter: 10 kW both ways, registers at 5,000 and 1,000 Wh. */
export function meterOf(number: number, changes: Partial<MeterRecord> = {}): MeterRecord {
  return {
    meterId: meterIdOf(number),
    owner: base58Encode(new Uint8Array(32).fill(200)),
    key: signerOf(number).publicKey,
    signer: 'gateway',
    role: 0,
    zone: 1,
    page: 0,
    slot: number,
    importBaselineWh: 5_000n,
    exportBaselineWh: 1_000n,
    importCarriedWh: 0n,
    exportCarriedWh: 0n,
    exportLimitW: 10_000,
    importLimitW: 10_000,
    enrolmentWindow: FIRST_WINDOW,
    firstWindow: FIRST_WINDOW,
    keyEpoch: 0,
    source: 1,
    status: 'active',
    registerStepWh: 1,
    ...changes,
  };
}

/** A registry whose content a test decides; newer than every message unless told otherwise. */
export class FakeRegistry implements Registry {
  asOf = { slot: 1, fetchedAtMs: Number.MAX_SAFE_INTEGER };
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

export interface Signed {
  readonly payload: Payload;
  readonly signed: Uint8Array;
  readonly message: Uint8Array;
  readonly hash: Uint8Array;
}

export function signPayload(payload: Payload, signer: Signer): Signed {
  const signed = encodePayload(payload);
  const message = encodeSign1(signed, signer.sign(sigStructure(signed)));
  return { payload, signed, message, hash: shortHash(message) };
}

/** Says what an honest gateway would say for one meter; a test bends single messages by `changes`. */
export class LogBuilder {
  readonly meter: MeterRecord;
  readonly signer: Signer;
  seq = 0n;
  timeMs = START_MS;
  importWh: bigint;
  exportWh: bigint;
  prev: Uint8Array = new Uint8Array(16);
  leaves = new MerkleBuilder();
  lastAtBoundary: { importWh: bigint; exportWh: bigint };

  constructor(meter: MeterRecord, signer: Signer) {
    this.meter = meter;
    this.signer = signer;
    this.importWh = meter.importBaselineWh;
    this.exportWh = meter.exportBaselineWh;
    this.lastAtBoundary = { importWh: this.importWh, exportWh: this.exportWh };
  }

  #header() {
    return { networkId: NETWORK, meterId: Buffer.from(this.meter.meterId, 'hex'), seq: ++this.seq };
  }

  sign(payload: Payload): Signed {
    return signPayload(payload, this.signer);
  }

  enrolment(changes: Partial<Enrolment> = {}): Signed {
    const { meter } = this;
    return this.sign({
      kind: Kind.enrolment,
      ...this.#header(),
      owner: new Uint8Array(32).fill(200),
      importWh: meter.importBaselineWh,
      exportWh: meter.exportBaselineWh,
      zone: meter.zone,
      source: 1,
      role: meter.role,
      deviceSigned: meter.signer === 'device',
      keyEpoch: meter.keyEpoch,
      window: meter.enrolmentWindow,
      ...changes,
    });
  }

  /** A minute later the registers have risen. */
  reading(changes: Partial<Reading> = {}, rise: { importWh?: bigint; exportWh?: bigint } = { exportWh: 20n }): Signed {
    this.timeMs += 60_000;
    this.importWh += rise.importWh ?? 0n;
    this.exportWh += rise.exportWh ?? 0n;
    const made = this.sign({
      kind: Kind.reading,
      ...this.#header(),
      timeMs: BigInt(this.timeMs),
      importWh: this.importWh,
      exportWh: this.exportWh,
      powerW: -1_200,
      voltageDv: 2301,
      frequencyChz: 5001,
      timeUncertaintyMs: 50,
      quality: 64,
      bootCount: 1,
      raw: Uint8Array.of(1, 2, 3, 4),
      prev: this.prev,
      ...changes,
    });
    this.prev = shortHash(made.signed);
    this.leaves.add(made.signed);
    return made;
  }

  event(changes: Partial<MeterEvent> = {}): Signed {
    const made = this.sign({
      kind: Kind.event,
      ...this.#header(),
      timeMs: BigInt(this.timeMs),
      code: EventCode.started,
      quality: 64,
      bootCount: 1,
      detail: 0,
      value: 0n,
      data: new Uint8Array(16),
      prev: this.prev,
      ...changes,
    });
    this.prev = shortHash(made.signed);
    return made;
  }

  /** Leaves `count` seqs out and declares them. */
  gap(count: number, reason: number): Signed {
    const first = this.seq + 1n;
    this.seq += BigInt(count);
    const data = new Uint8Array(16);
    data[0] = reason;
    return this.event({ code: EventCode.gap, value: first, detail: count, data });
  }

  /** The statement of the window that holds the last reading; time goes to its end. */
  statement(changes: Partial<Statement> = {}): Signed {
    const window = Math.floor(this.timeMs / 900_000);
    this.timeMs = Math.max(this.timeMs, windowEndMs(window));
    const made = this.sign({
      kind: Kind.statement,
      ...this.#header(),
      window,
      importWh: this.importWh,
      exportWh: this.exportWh,
      readingCount: this.leaves.count,
      quality: 64,
      timeUncertaintyMs: 50,
      readingsRoot: this.leaves.root(),
      ...changes,
    });
    this.leaves = new MerkleBuilder();
    return made;
  }

  /** Enrolment, then `windows` windows of `readings` readings each. */
  honest(windows: number, readings = 3): Signed[] {
    const log = [this.enrolment()];
    for (let w = 0; w < windows; w++) {
      for (let r = 0; r < readings; r++) log.push(this.reading());
      log.push(this.statement());
    }
    return log;
  }
}
