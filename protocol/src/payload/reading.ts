import { MAX_U16, MAX_U32, type Wh } from '../units.js';
import { type Fields, fixed, i64, optional, orNull, u16, u64 } from './fields.js';
import { Kind, type PayloadHeader, type ToEncode } from './header.js';

export interface Reading extends PayloadHeader {
  readonly kind: typeof Kind.reading;
  /** The arrival of the reply's last byte: milliseconds since 1970, UTC. */
  readonly timeMs: bigint;
  readonly importWh: Wh;
  readonly exportWh: Wh;
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

/** The code of a power that the meter does not have. */
const POWER_NA = -0x8000_0000;

/** Writes the fields behind the header; throws `RangeError` for one that does not fit. */
export function writeReading({ bytes, view }: Fields, p: ToEncode<Reading>): void {
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

/** Reads the fields behind the header. */
export function readReading(fields: Fields, header: PayloadHeader): Reading {
  const { view } = fields;
  return {
    kind: Kind.reading,
    ...header,
    timeMs: view.getBigInt64(36, true),
    importWh: view.getBigUint64(44, true) as Wh,
    exportWh: view.getBigUint64(52, true) as Wh,
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
