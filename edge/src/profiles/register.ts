import type { MoreRegisterKey } from './more-values.js';
import { fromFloat, ONE, powerOfTen, type Rational, times } from './rational.js';

/** Number of 16-bit registers of each type; text states its own length. */
export const TYPE_REGISTERS = {
  u16: 1,
  i16: 1,
  u32: 2,
  i32: 2,
  u64: 4,
  i64: 4,
  f32: 2,
  f64: 4,
  acc32: 2,
  acc64: 4,
  sunssf: 1,
} as const;
export type NumberType = keyof typeof TYPE_REGISTERS;
export type RegisterType = NumberType | 'text';

/** Meaning of a value; the keys of a profile's `registers`. `sf:N` is a scale factor of SunSpec at address N. */
export type RegisterKey =
  | 'import'
  | 'export'
  | 'total'
  | 'power'
  | 'power_export'
  | 'voltage'
  | 'frequency'
  | 'serial'
  | 'firmware'
  | 'model'
  | 'manufacturer'
  | MoreRegisterKey
  | `dc_power_${number}`
  | `dc_energy_${number}`
  | `sf:${number}`;

/** Registers on which money depends. */
export const BILLING_KEYS = ['import', 'export', 'total'] as const satisfies readonly RegisterKey[];

export type FunctionCode = 3 | 4;

/** Address and meaning of a value in a meter. Immutable; built by `parseProfile` or from SunSpec models. */
export interface Register {
  readonly key: RegisterKey;
  /** 3 = holding registers, 4 = input registers. */
  readonly function: FunctionCode;
  /** Address in the request (from 0), not the 3xxxx or 4xxxx of documents. */
  readonly address: number;
  /** Length in registers. */
  readonly length: number;
  readonly type: RegisterType;
  /** `big`: the high word comes first. */
  readonly words: 'big' | 'little';
  /** `big`: the high byte of each word comes first, as in Modbus. */
  readonly bytes: 'big' | 'little';
  /** Factor from the raw number to Wh, W, V or Hz. */
  readonly scale: Rational;
  /** A SunSpec scale factor that is read with the value: the exponent of a further power of ten. */
  readonly scaleFactor: `sf:${number}` | null;
  /** `export`: a positive number means energy that flows out. */
  readonly positive: 'import' | 'export';
  /** Bit patterns that mean "not available". */
  readonly notAvailable: readonly bigint[];
  /** The raw number at which the counter rolls over to 0; null where no source states it. */
  readonly rollover: bigint | null;
  /** Smallest step that the meter counts, Wh, where a source states it; null: the step of the encoding alone. */
  readonly stepWh: bigint | null;
  /** Document that states this register. */
  readonly source: string;
}

/** Raw value of a register. `not-available` is the meter's own statement. */
export type RawValue =
  | { readonly kind: 'number'; readonly value: Rational; readonly raw: bigint | null }
  | { readonly kind: 'text'; readonly value: string }
  | { readonly kind: 'not-available' };

const NOT_AVAILABLE: RawValue = { kind: 'not-available' };
const WIDEST_EXPONENT = 10;

/**
 * Decodes a register's bytes, before its scale. NaN and the stated patterns are not available. An infinite float has no
 * meaning and counts as not available, too. Throws `RangeError` for a wrong number of bytes.
 */
export function decodeRaw(register: Register, data: Uint8Array): RawValue {
  if (data.length !== 2 * register.length) {
    throw new RangeError(`${register.key}: ${data.length} bytes for ${register.length} registers`);
  }
  const ordered = inOrder(data, register.words, register.bytes);
  if (register.type === 'text') return textOf(ordered);
  const pattern = unsigned(ordered);
  if (register.notAvailable.includes(pattern) || isNoValue(register, pattern)) return NOT_AVAILABLE;
  const view = new DataView(ordered.buffer, ordered.byteOffset, ordered.byteLength);
  switch (register.type) {
    case 'f32':
      return floatOf(view.getFloat32(0));
    case 'f64':
      return floatOf(view.getFloat64(0));
    case 'i16':
    case 'i32':
    case 'i64':
    case 'sunssf':
      return integerOf(BigInt.asIntN(16 * register.length, pattern));
    default:
      return integerOf(pattern);
  }
}

/**
 * Returns true for a pattern that no register uses as a value. All ones are no value of an unsigned number, and of
 * energy in any type. The extremes of a signed number are no energy.
 */
function isNoValue({ key, type, length }: Register, pattern: bigint): boolean {
  const bits = BigInt(16 * length);
  const ones = (1n << bits) - 1n;
  const isSigned = type.startsWith('i') || type === 'sunssf';
  const isEnergy = (BILLING_KEYS as readonly RegisterKey[]).includes(key);
  if (type === 'f32' || type === 'f64' || type === 'text') return false;
  if (!isSigned) return pattern === ones;
  return isEnergy && (pattern === ones || pattern === ones >> 1n || pattern === 1n << (bits - 1n));
}

/**
 * Returns a number in Wh, W, V or Hz: raw times scale, times the power of ten of the scale factor where there is one.
 */
export function scaled(register: Register, raw: Rational, exponent: number | null): Rational {
  return times(times(raw, register.scale), exponent === null ? ONE : powerOfTen(exponent));
}

/** Returns the exponent of a SunSpec scale factor; null where it is not implemented or outside -10..10. */
export function exponentOf(factor: Register, data: Uint8Array): number | null {
  const value = decodeRaw(factor, data);
  if (value.kind !== 'number' || value.raw === null) return null;
  const exponent = Number(value.raw);
  return Math.abs(exponent) <= WIDEST_EXPONENT ? exponent : null;
}

function integerOf(raw: bigint): RawValue {
  return { kind: 'number', value: { num: raw, den: 1n }, raw };
}

function floatOf(value: number): RawValue {
  return Number.isFinite(value) ? { kind: 'number', value: fromFloat(value), raw: null } : NOT_AVAILABLE;
}

/** Returns the bytes with the most significant first. */
function inOrder(data: Uint8Array, words: 'big' | 'little', bytes: 'big' | 'little'): Uint8Array {
  const out = new Uint8Array(data.length);
  const count = data.length / 2;
  for (let i = 0; i < count; i++) {
    const from = 2 * (words === 'big' ? i : count - 1 - i);
    const [first, second] = bytes === 'big' ? [0, 1] : [1, 0];
    out[2 * i] = data[from + first] ?? 0;
    out[2 * i + 1] = data[from + second] ?? 0;
  }
  return out;
}

function unsigned(bytes: Uint8Array): bigint {
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  return value;
}

/** Decodes printable ASCII up to the first NUL, trimmed; nothing printable = not available. */
function textOf(bytes: Uint8Array): RawValue {
  const end = bytes.indexOf(0);
  const used = end < 0 ? bytes : bytes.subarray(0, end);
  if (used.some((byte) => byte < 0x20 || byte > 0x7e)) return NOT_AVAILABLE;
  const text = String.fromCharCode(...used).trim();
  return text === '' ? NOT_AVAILABLE : { kind: 'text', value: text };
}
