import { Reason, WireError } from '../reasons.js';
import { MAX_U16, MAX_U32 } from '../units.js';
import { type Fields, i64, int, optional, orNull } from './fields.js';
import { Kind, type PayloadHeader } from './header.js';

/** Names the values that a payload of kind 5 can carry [numbers §6.4]. */
export const ValueCode = {
  voltageL1: 1,
  voltageL2: 2,
  voltageL3: 3,
  currentL1: 4,
  currentL2: 5,
  currentL3: 6,
  reactiveImport: 7,
  reactiveExport: 8,
  reactivePower: 9,
  powerFactor: 10,
  temperature: 11,
} as const;
export type ValueCode = (typeof ValueCode)[keyof typeof ValueCode];

/** A value with its code, in the unit of the code. */
export interface CodedValue {
  /** See `ValueCode`; a reader keeps a code that it does not know. */
  readonly code: number;
  readonly value: number;
}

/** Largest number of values in one payload. */
export const MAX_VALUES = 8;

/** Values of a meter that are never billed and never attested. */
export interface MoreValues extends PayloadHeader {
  readonly kind: typeof Kind.moreValues;
  /** The arrival of the reply's last byte: milliseconds since 1970, UTC. */
  readonly timeMs: bigint;
  /** 1 to 8 values; their codes rise. */
  readonly values: readonly CodedValue[];
  /** null = unknown. */
  readonly timeUncertaintyMs: number | null;
}

const PAIRS_AT = 44;
const PAIR_BYTES = 6;
/** The code of a value that the meter does not have: such a value is omitted. */
const VALUE_NA = -0x8000_0000;

/** Writes the fields behind the header; throws `RangeError` for one that does not fit. */
export function writeMoreValues({ view }: Fields, p: MoreValues): void {
  view.setBigInt64(36, i64('timeMs', p.timeMs), true);
  int('values', p.values.length, 1, MAX_VALUES);
  let last = 0;
  for (const [i, { code, value }] of p.values.entries()) {
    const at = PAIRS_AT + i * PAIR_BYTES;
    view.setUint16(at, int('code', code, last + 1, MAX_U16), true);
    view.setInt32(at + 2, int('value', value, VALUE_NA + 1, 0x7fff_ffff), true);
    last = code;
  }
  view.setUint32(92, optional('timeUncertaintyMs', p.timeUncertaintyMs, 0, MAX_U32 - 1, MAX_U32), true);
}

/**
 * Reads the fields behind the header. Throws `WireError` *malformed* without a value, for codes that do not rise, for a
 * value that is not available, and for a pair behind an unused one.
 */
export function readMoreValues({ view }: Fields, header: PayloadHeader): MoreValues {
  const values: CodedValue[] = [];
  for (let i = 0; i < MAX_VALUES; i++) {
    const at = PAIRS_AT + i * PAIR_BYTES;
    const [code, value] = [view.getUint16(at, true), view.getInt32(at + 2, true)];
    const isUnused = code === 0 && value === 0;
    if (isUnused) continue;
    if (values.length < i) throw new WireError(Reason.malformed, 'a value behind an unused pair');
    if (code <= (values.at(-1)?.code ?? 0)) throw new WireError(Reason.malformed, `code ${code} does not rise`);
    if (value === VALUE_NA) throw new WireError(Reason.malformed, `code ${code} has no value`);
    values.push({ code, value });
  }
  if (values.length === 0) throw new WireError(Reason.malformed, 'no value');
  return {
    kind: Kind.moreValues,
    ...header,
    timeMs: view.getBigInt64(36, true),
    values,
    timeUncertaintyMs: orNull(view.getUint32(92, true), MAX_U32),
  };
}
