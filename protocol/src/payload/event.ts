import { type Fields, fixed, i64, u16, u32, u64 } from './fields.js';
import { Kind, type PayloadHeader } from './header.js';

/** Names what an event reports [numbers §4]. */
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

/** First byte of event 2's data: the reason why the seqs will never arrive [numbers §4.1]. */
export const GapReason = { unused: 1, thinned: 2, damaged: 3, restored: 4, refused: 5 } as const;

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

/** Writes the fields behind the header; throws `RangeError` for one that does not fit. */
export function writeEvent({ bytes, view }: Fields, p: MeterEvent): void {
  view.setBigInt64(36, i64('timeMs', p.timeMs), true);
  view.setUint16(44, u16('code', p.code), true);
  view.setUint16(46, u16('quality', p.quality), true);
  view.setUint32(48, u32('bootCount', p.bootCount), true);
  view.setUint32(52, u32('detail', p.detail), true);
  view.setBigUint64(56, u64('value', p.value), true);
  bytes.set(fixed('data', p.data, 16), 64);
  bytes.set(fixed('prev', p.prev, 16), 80);
}

/** Reads the fields behind the header. */
export function readEvent(fields: Fields, header: PayloadHeader): MeterEvent {
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
