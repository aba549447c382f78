import { copyBytes } from '../bytes.js';
import { MAX_U16, MAX_U32, MAX_U64 } from '../units.js';

/** Reads and writes the fields of one payload at their offsets. */
export class Fields {
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

/** Checks a number for its field. Throws `RangeError` with the field's name; so do all below. */
export function int(name: string, value: number, min: number, max: number): number {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new RangeError(`${name} = ${value} is not an integer from ${min} to ${max}`);
  }
  return value;
}
export const u16 = (name: string, value: number) => int(name, value, 0, MAX_U16);
export const u32 = (name: string, value: number) => int(name, value, 0, MAX_U32);
export function u64(name: string, value: bigint): bigint {
  if (value < 0n || value > MAX_U64) throw new RangeError(`${name} = ${value} does not fit u64`);
  return value;
}
export function i64(name: string, value: bigint): bigint {
  if (BigInt.asIntN(64, value) !== value) throw new RangeError(`${name} = ${value} does not fit i64`);
  return value;
}
export function fixed(name: string, value: Uint8Array, length: number): Uint8Array {
  if (value.length !== length) throw new RangeError(`${name} has ${value.length} bytes, expected ${length}`);
  return value;
}
/** Checks an optional value, whose "not available" code no real value may equal. `min` and `max` exclude the code. */
export function optional(name: string, value: number | null, min: number, max: number, code: number): number {
  return value === null ? code : int(name, value, min, max);
}

/** Returns an optional value; null for its "not available" code. */
export const orNull = (value: number, code: number): number | null => (value === code ? null : value);
