import { MAX_U32, type Wh, type Window } from '../units.js';
import { type Fields, fixed, optional, orNull, u16, u32, u64 } from './fields.js';
import { Kind, type PayloadHeader, type ToEncode } from './header.js';

export interface Statement extends PayloadHeader {
  readonly kind: typeof Kind.statement;
  readonly window: Window;
  /** The last good register at or before the window's end. */
  readonly importWh: Wh;
  readonly exportWh: Wh;
  /** Leaves under `readingsRoot`; 65,535 = that many or more. */
  readonly readingCount: number;
  /** OR of the quality bits in the window. */
  readonly quality: number;
  /** The greatest uncertainty in the window, in ms; null = unknown. */
  readonly timeUncertaintyMs: number | null;
  /** RFC 6962 root over the payloads of the readings since this meter's previous statement, in seq order. */
  readonly readingsRoot: Uint8Array;
}

/** Writes the fields behind the header; throws `RangeError` for one that does not fit. */
export function writeStatement({ bytes, view }: Fields, p: ToEncode<Statement>): void {
  view.setUint32(36, u32('window', p.window), true);
  view.setBigUint64(40, u64('importWh', p.importWh), true);
  view.setBigUint64(48, u64('exportWh', p.exportWh), true);
  view.setUint16(56, u16('readingCount', p.readingCount), true);
  view.setUint16(58, u16('quality', p.quality), true);
  view.setUint32(60, optional('timeUncertaintyMs', p.timeUncertaintyMs, 0, MAX_U32 - 1, MAX_U32), true);
  bytes.set(fixed('readingsRoot', p.readingsRoot, 32), 64);
}

/** Reads the fields behind the header. */
export function readStatement(fields: Fields, header: PayloadHeader): Statement {
  const { view } = fields;
  return {
    kind: Kind.statement,
    ...header,
    window: view.getUint32(36, true) as Window,
    importWh: view.getBigUint64(40, true) as Wh,
    exportWh: view.getBigUint64(48, true) as Wh,
    readingCount: view.getUint16(56, true),
    quality: view.getUint16(58, true),
    timeUncertaintyMs: orNull(view.getUint32(60, true), MAX_U32),
    readingsRoot: fields.slice(64, 32),
  };
}
