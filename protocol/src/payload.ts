import { copyBytes } from './bytes.js';
import { Reason, WireError } from './reasons.js';
import { MAX_U16, MAX_U32, MAX_U64 } from './units.js';

/** Length of every payload in bytes. */
export const PAYLOAD_BYTES = 96;
export const PAYLOAD_VERSION = 1;
const MAGIC_0 = 0x47;
const MAGIC_1 = 0x58;

export const Kind = { reading: 1, statement: 2, event: 3, enrolment: 4 } as const;
export type Kind = (typeof Kind)[keyof typeof Kind];

/** Fields that every payload starts with. */
export interface PayloadHeader {
  /** 8 bytes; see `networkId`. */
  readonly networkId: Uint8Array;
  /** 16 bytes; see `meterId`. */
  readonly meterId: Uint8Array;
  /** From 1 for each key, +1 for every payload of any kind, never reused. */
  readonly seq: bigint;
}

export interface Reading extends PayloadHeader {
  readonly kind: typeof Kind.reading;
  /** When the reply's last byte arrived: milliseconds since 1970, UTC. */
  readonly timeMs: bigint;
  readonly importWh: bigint;
  readonly exportWh: bigint;
  /** Watts, import positive; null where the meter has none. */
  readonly powerW: number | null;
  /** Phase L1 in 0.1 V; null where the meter has none. */
  readonly voltageDv: number | null;
  /** 0.01 Hz; null where the meter has none. */
  readonly frequencyChz: number | null;
  /** null = unknown. */
  readonly timeUncertaintyMs: number | null;
  readonly quality: number;
  /** Low 16 bits of the number of starts. */
  readonly bootCount: number;
  /** First 4 bytes of SHA-256 of the raw reply frames: a check, not evidence. */
  readonly raw: Uint8Array;
  /** First 16 bytes of SHA-256 of this key's previous payload of kind 1 or 3; zero for the first. */
  readonly prev: Uint8Array;
}

export interface Statement extends PayloadHeader {
  readonly kind: typeof Kind.statement;
  readonly window: number;
  /** The last good register at or before the window's end. */
  readonly importWh: bigint;
  readonly exportWh: bigint;
  /** Leaves under `readingsRoot`; 65,535 = that many or more. */
  readonly readingCount: number;
  /** OR over the window. */
  readonly quality: number;
  /** The worst in the window; null = unknown. */
  readonly timeUncertaintyMs: number | null;
  /** RFC 6962 root over the payloads of the readings since this meter's previous statement, in seq order. */
  readonly readingsRoot: Uint8Array;
}

export interface MeterEvent extends PayloadHeader {
  readonly kind: typeof Kind.event;
  readonly timeMs: bigint;
  /** See `EventCode`. */
  readonly code: number;
  readonly quality: number;
  readonly bootCount: number;
  readonly detail: number;
  readonly value: bigint;
  /** 16 bytes. */
  readonly data: Uint8Array;
  readonly prev: Uint8Array;
}

export const Source = { none: 0, solar: 1, wind: 2, storage: 3, hybrid: 4, other: 5 } as const;
export type Source = (typeof Source)[keyof typeof Source];
export const Role = { point: 0, production: 1, consumption: 2 } as const;
export type Role = (typeof Role)[keyof typeof Role];

export interface Enrolment extends PayloadHeader {
  readonly kind: typeof Kind.enrolment;
  /** The owner's wallet, 32 bytes. */
  readonly owner: Uint8Array;
  /** Registers at commissioning. */
  readonly importWh: bigint;
  readonly exportWh: bigint;
  readonly zone: number;
  readonly source: Source;
  readonly role: Role;
  readonly deviceSigned: boolean;
  readonly keyEpoch: number;
  readonly window: number;
}

export type Payload = Reading | Statement | MeterEvent | Enrolment;

export const EventCode = {
  started: 1,
  gap: 2,
  clockStepped: 3,
  clockSourceChanged: 4,
  registerDiscontinuity: 5,
  meterReplaced: 6,
  tamper: 7,
  selfTestFailed: 8,
  keyChanged: 9,
  continuedAfterRestore: 10,
  startedWithoutOracle: 11,
  configurationChanged: 12,
  secondMaster: 13,
  command: 14,
} as const;

/** First byte of event 2's data: why the seqs will never come [numbers §4.1]. */
export const GapReason = { unused: 1, thinned: 2, damaged: 3, restored: 4, refused: 5 } as const;

const POWER_NA = -0x8000_0000;

class Fields {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }
  slice(at: number, length: number): Uint8Array {
    return copyBytes(this.bytes, at, at + length);
  }
}

function int(name: string, value: number, min: number, max: number): number {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new RangeError(`${name} = ${value} is not an integer from ${min} to ${max}`);
  }
  return value;
}
const u16 = (name: string, value: number) => int(name, value, 0, MAX_U16);
const u32 = (name: string, value: number) => int(name, value, 0, MAX_U32);
function u64(name: string, value: bigint): bigint {
  if (value < 0n || value > MAX_U64) throw new RangeError(`${name} = ${value} does not fit u64`);
  return value;
}
function i64(name: string, value: bigint): bigint {
  if (BigInt.asIntN(64, value) !== value) throw new RangeError(`${name} = ${value} does not fit i64`);
  return value;
}
function fixed(name: string, value: Uint8Array, length: number): Uint8Array {
  if (value.length !== length) throw new RangeError(`${name} has ${value.length} bytes, expected ${length}`);
  return value;
}
/** Optional values have one "not available" code; a real value must not be taken for it. */
function optional(name: string, value: number | null, min: number, max: number, code: number): number {
  return value === null ? code : int(name, value, min, max);
}

/**
 * The 96 bytes of a payload, little-endian [wire §4]. Throws `RangeError` naming the field that does not fit its type.
 */
export function encodePayload(payload: Payload): Uint8Array {
  const fields = new Fields(new Uint8Array(PAYLOAD_BYTES));
  const { bytes, view } = fields;
  bytes[0] = MAGIC_0;
  bytes[1] = MAGIC_1;
  bytes[2] = PAYLOAD_VERSION;
  bytes[3] = payload.kind;
  bytes.set(fixed('networkId', payload.networkId, 8), 4);
  bytes.set(fixed('meterId', payload.meterId, 16), 12);
  view.setBigUint64(28, u64('seq', payload.seq), true);
  switch (payload.kind) {
    case Kind.reading:
      writeReading(fields, payload);
      break;
    case Kind.statement:
      writeStatement(fields, payload);
      break;
    case Kind.event:
      writeEvent(fields, payload);
      break;
    case Kind.enrolment:
      writeEnrolment(fields, payload);
      break;
  }
  return bytes;
}

function writeReading({ bytes, view }: Fields, p: Reading): void {
  view.setBigInt64(36, i64('timeMs', p.timeMs), true);
  view.setBigUint64(44, u64('importWh', p.importWh), true);
  view.setBigUint64(52, u64('exportWh', p.exportWh), true);
  view.setInt32(60, optional('powerW', p.powerW, POWER_NA + 1, 0x7fff_ffff, POWER_NA), true);
  view.setUint16(64, optional('voltageDv', p.voltageDv, 0, MAX_U16 - 1, MAX_U16), true);
  view.setUint16(66, optional('frequencyChz', p.frequencyChz, 0, MAX_U16 - 1, MAX_U16), true);
  view.setUint32(68, optional('timeUncertaintyMs', p.timeUncertaintyMs, 0, MAX_U32 - 1, MAX_U32), true);
  view.setUint16(72, u16('quality', p.quality), true);
  view.setUint16(74, u16('bootCount', p.bootCount), true);
  bytes.set(fixed('raw', p.raw, 4), 76);
  bytes.set(fixed('prev', p.prev, 16), 80);
}

function writeStatement({ bytes, view }: Fields, p: Statement): void {
  view.setUint32(36, u32('window', p.window), true);
  view.setBigUint64(40, u64('importWh', p.importWh), true);
  view.setBigUint64(48, u64('exportWh', p.exportWh), true);
  view.setUint16(56, u16('readingCount', p.readingCount), true);
  view.setUint16(58, u16('quality', p.quality), true);
  view.setUint32(60, optional('timeUncertaintyMs', p.timeUncertaintyMs, 0, MAX_U32 - 1, MAX_U32), true);
  bytes.set(fixed('readingsRoot', p.readingsRoot, 32), 64);
}

function writeEvent({ bytes, view }: Fields, p: MeterEvent): void {
  view.setBigInt64(36, i64('timeMs', p.timeMs), true);
  view.setUint16(44, u16('code', p.code), true);
  view.setUint16(46, u16('quality', p.quality), true);
  view.setUint32(48, u32('bootCount', p.bootCount), true);
  view.setUint32(52, u32('detail', p.detail), true);
  view.setBigUint64(56, u64('value', p.value), true);
  bytes.set(fixed('data', p.data, 16), 64);
  bytes.set(fixed('prev', p.prev, 16), 80);
}

function writeEnrolment({ bytes, view }: Fields, p: Enrolment): void {
  bytes.set(fixed('owner', p.owner, 32), 36);
  view.setBigUint64(68, u64('importWh', p.importWh), true);
  view.setBigUint64(76, u64('exportWh', p.exportWh), true);
  view.setUint16(84, u16('zone', p.zone), true);
  bytes[86] = int('source', p.source, 0, 5);
  bytes[87] = int('role', p.role, 0, 2) | (p.deviceSigned ? 4 : 0);
  view.setUint32(88, u32('keyEpoch', p.keyEpoch), true);
  view.setUint32(92, u32('window', p.window), true);
}

/**
 * The payload in 96 bytes [wire §4]. Throws `WireError`: *malformed* for a wrong length, magic or a value outside its
 * range, *unknown version* for another version or kind. What it returns encodes to the same bytes again.
 */
export function decodePayload(bytes: Uint8Array): Payload {
  if (bytes.length !== PAYLOAD_BYTES) {
    throw new WireError(Reason.malformed, `payload of ${bytes.length} bytes, expected ${PAYLOAD_BYTES}`);
  }
  if (bytes[0] !== MAGIC_0 || bytes[1] !== MAGIC_1) throw new WireError(Reason.malformed, 'payload without the magic');
  if (bytes[2] !== PAYLOAD_VERSION) throw new WireError(Reason.unknownVersion, `payload version ${bytes[2]}`);
  const fields = new Fields(bytes);
  const seq = fields.view.getBigUint64(28, true);
  if (seq === 0n) throw new WireError(Reason.malformed, 'seq 0: the first is 1');
  const header = { networkId: fields.slice(4, 8), meterId: fields.slice(12, 16), seq };
  switch (bytes[3]) {
    case Kind.reading:
      return readReading(fields, header);
    case Kind.statement:
      return readStatement(fields, header);
    case Kind.event:
      return readEvent(fields, header);
    case Kind.enrolment:
      return readEnrolment(fields, header);
    default:
      throw new WireError(Reason.unknownVersion, `payload kind ${bytes[3]}`);
  }
}

const orNull = (value: number, code: number): number | null => (value === code ? null : value);

function readReading(fields: Fields, header: PayloadHeader): Reading {
  const { view } = fields;
  return {
    kind: Kind.reading,
    ...header,
    timeMs: view.getBigInt64(36, true),
    importWh: view.getBigUint64(44, true),
    exportWh: view.getBigUint64(52, true),
    powerW: orNull(view.getInt32(60, true), POWER_NA),
    voltageDv: orNull(view.getUint16(64, true), MAX_U16),
    frequencyChz: orNull(view.getUint16(66, true), MAX_U16),
    timeUncertaintyMs: orNull(view.getUint32(68, true), MAX_U32),
    quality: view.getUint16(72, true),
    bootCount: view.getUint16(74, true),
    raw: fields.slice(76, 4),
    prev: fields.slice(80, 16),
  };
}

function readStatement(fields: Fields, header: PayloadHeader): Statement {
  const { view } = fields;
  return {
    kind: Kind.statement,
    ...header,
    window: view.getUint32(36, true),
    importWh: view.getBigUint64(40, true),
    exportWh: view.getBigUint64(48, true),
    readingCount: view.getUint16(56, true),
    quality: view.getUint16(58, true),
    timeUncertaintyMs: orNull(view.getUint32(60, true), MAX_U32),
    readingsRoot: fields.slice(64, 32),
  };
}

function readEvent(fields: Fields, header: PayloadHeader): MeterEvent {
  const { view } = fields;
  return {
    kind: Kind.event,
    ...header,
    timeMs: view.getBigInt64(36, true),
    code: view.getUint16(44, true),
    quality: view.getUint16(46, true),
    bootCount: view.getUint32(48, true),
    detail: view.getUint32(52, true),
    value: view.getBigUint64(56, true),
    data: fields.slice(64, 16),
    prev: fields.slice(80, 16),
  };
}

function readEnrolment(fields: Fields, header: PayloadHeader): Enrolment {
  const { bytes, view } = fields;
  const source = bytes[86] ?? 0;
  const flags = bytes[87] ?? 0;
  if (source > 5) throw new WireError(Reason.malformed, `enrolment source ${source}`);
  if (flags > 7 || (flags & 3) === 3) throw new WireError(Reason.malformed, `enrolment role bits ${flags}`);
  return {
    kind: Kind.enrolment,
    ...header,
    owner: fields.slice(36, 32),
    importWh: view.getBigUint64(68, true),
    exportWh: view.getBigUint64(76, true),
    zone: view.getUint16(84, true),
    source: source as Source,
    role: (flags & 3) as Role,
    deviceSigned: (flags & 4) !== 0,
    keyEpoch: view.getUint32(88, true),
    window: view.getUint32(92, true),
  };
}
