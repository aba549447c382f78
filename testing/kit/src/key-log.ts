import {
  asWindow,
  type Enrolment,
  EventCode,
  encodePayload,
  encodeSign1,
  Kind,
  MerkleBuilder,
  type MeterEvent,
  type MoreValues,
  type Payload,
  type PayloadToEncode,
  Quality,
  type Reading,
  type Signer,
  type Statement,
  shortHash,
  sigStructure,
  type ToEncode,
  toHex,
  ValueCode,
  windowEndAtMs,
} from '@gridtokenx/protocol';
import type { MeterRecord } from '#oracle/domain/ports.js';

export interface Signed {
  readonly payload: Payload;
  /** The 96 signed bytes. */
  readonly signed: Uint8Array;
  /** The 171 bytes. */
  readonly message: Uint8Array;
  readonly hash: Uint8Array;
}

/** Returns the message of a payload, signed by any signer. */
export function sign(payload: PayloadToEncode, signer: Signer): Signed {
  const signed = encodePayload(payload);
  const message = encodeSign1(signed, signer.sign(sigStructure(signed)));
  // The encoder has checked the window.
  return { payload: payload as Payload, signed, message, hash: shortHash(message) };
}

/** State of a meter; it continues over a rotation of its key. */
export interface MeterState {
  timeMs: number;
  importWh: bigint;
  exportWh: bigint;
}

/** Builds a gateway's messages for one meter with one key; `changes` alter a single message. */
export class KeyJournal {
  readonly record: MeterRecord;
  readonly signer: Signer;
  readonly state: MeterState;
  readonly #networkId: Uint8Array;
  seq = 0n;
  prev: Uint8Array = new Uint8Array(16);
  /** Leaves of the readings since the last statement. */
  leaves = new MerkleBuilder();
  /** Quality bits of the readings since the last statement. */
  quality = 0;

  constructor(record: MeterRecord, signer: Signer, networkId: Uint8Array, state: MeterState) {
    this.record = record;
    this.signer = signer;
    this.#networkId = networkId;
    this.state = state;
  }

  header(): { networkId: Uint8Array; meterId: Uint8Array; seq: bigint } {
    return {
      networkId: this.#networkId,
      meterId: new Uint8Array(Buffer.from(this.record.meterId, 'hex')),
      seq: ++this.seq,
    };
  }

  enrolment(owner: Uint8Array, changes: Partial<ToEncode<Enrolment>> = {}): Signed {
    const { record } = this;
    const payload: ToEncode<Enrolment> = {
      kind: Kind.enrolment,
      ...this.header(),
      owner,
      importWh: record.importBaselineWh,
      exportWh: record.exportBaselineWh,
      zone: record.zone,
      source: 1,
      role: record.role,
      deviceSigned: record.signer === 'device',
      keyEpoch: record.keyEpoch,
      window: record.enrolmentWindow,
      ...changes,
    };
    return sign(payload, this.signer);
  }

  /** Signs a reading of the meter's present state. */
  reading(changes: Partial<ToEncode<Reading>> = {}): Signed {
    const payload: ToEncode<Reading> = {
      kind: Kind.reading,
      ...this.header(),
      timeMs: BigInt(this.state.timeMs),
      importWh: this.state.importWh,
      exportWh: this.state.exportWh,
      powerW: -1_200,
      voltageDv: 2_301,
      frequencyChz: 5_001,
      timeUncertaintyMs: 50,
      quality: Quality.gatewaySigned,
      bootCount: 1,
      raw: Uint8Array.of(1, 2, 3, 4),
      prev: this.prev,
      ...changes,
    };
    const made = sign(payload, this.signer);
    this.prev = shortHash(made.signed);
    this.leaves.add(made.signed);
    this.quality |= payload.quality;
    return made;
  }

  event(code: number, changes: Partial<MeterEvent> = {}): Signed {
    const payload: MeterEvent = {
      kind: Kind.event,
      ...this.header(),
      timeMs: BigInt(this.state.timeMs),
      code,
      quality: Quality.gatewaySigned,
      bootCount: 1,
      detail: 0,
      value: 0n,
      data: new Uint8Array(16),
      prev: this.prev,
      ...changes,
    };
    const made = sign(payload, this.signer);
    this.prev = shortHash(made.signed);
    return made;
  }

  /** Signs further values of the meter: no link of the chain, and no leaf of a root. */
  moreValues(changes: Partial<MoreValues> = {}): Signed {
    const payload: MoreValues = {
      kind: Kind.moreValues,
      ...this.header(),
      timeMs: BigInt(this.state.timeMs),
      values: [
        { code: ValueCode.voltageL2, value: 2_297 },
        { code: ValueCode.powerFactor, value: -987 },
      ],
      timeUncertaintyMs: 50,
      ...changes,
    };
    return sign(payload, this.signer);
  }

  /** Declares `count` seqs from `first` on as a gap. */
  gap(first: bigint, count: number, reason: number): Signed {
    const data = new Uint8Array(16);
    data[0] = reason;
    return this.event(EventCode.gap, { value: first, detail: count, data });
  }

  /** Closes a window: signs the present registers and the root of the readings since the last statement. */
  statement(window: number, changes: Partial<ToEncode<Statement>> = {}): Signed {
    this.state.timeMs = Math.max(this.state.timeMs, windowEndAtMs(asWindow(window)));
    const payload: ToEncode<Statement> = {
      kind: Kind.statement,
      ...this.header(),
      window,
      importWh: this.state.importWh,
      exportWh: this.state.exportWh,
      readingCount: this.leaves.count,
      quality: this.quality | Quality.gatewaySigned,
      timeUncertaintyMs: 50,
      readingsRoot: this.leaves.root(),
      ...changes,
    };
    this.leaves = new MerkleBuilder();
    this.quality = 0;
    return sign(payload, this.signer);
  }
}

/** Returns the name of a message in verdicts and differences. */
export function nameOf(hash: Uint8Array): string {
  return toHex(hash);
}
