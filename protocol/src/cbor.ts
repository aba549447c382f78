import { decode, encode } from 'cborg';
import { equalBytes } from './bytes.js';
import { Reason, WireError } from './reasons.js';

/** Values of the CBOR contents of control messages. */
export type CborValue = number | bigint | string | boolean | null | Uint8Array | CborValue[] | CborMap;
export interface CborMap extends Map<number | string | Uint8Array, CborValue> {}

/**
 * Encodes deterministic CBOR (RFC 8949, section 4.2.1: shortest forms, definite lengths, keys in bytewise order) [wire §7.1].
 */
export function encodeCbor(value: CborValue): Uint8Array {
  return encode(value);
}

/**
 * Reads one deterministically encoded CBOR item that fills `bytes` exactly. Throws `WireError` *malformed* otherwise. One
 * content has only one encoding, so a signed message cannot have two forms.
 */
export function decodeCbor(bytes: Uint8Array): CborValue {
  let value: CborValue;
  try {
    value = decode(bytes, {
      strict: true,
      useMaps: true,
      rejectDuplicateMapKeys: true,
      allowIndefinite: false,
      allowUndefined: false,
      allowInfinity: false,
      allowNaN: false,
    }) as CborValue;
  } catch (cause) {
    throw new WireError(Reason.malformed, `CBOR: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
  if (!equalBytes(encode(value), bytes)) throw new WireError(Reason.malformed, 'CBOR: not the deterministic encoding');
  return value;
}

function bad(what: string, expected: string): WireError {
  return new WireError(Reason.malformed, `${what}: expected ${expected}`);
}

/** Reads a map with small integer keys. Throws `WireError` that names an unknown or missing key. */
export class CborFields {
  readonly #what: string;
  readonly #map: Map<unknown, CborValue>;

  constructor(what: string, value: CborValue | undefined, keys: readonly number[]) {
    if (!(value instanceof Map)) throw bad(what, 'a map');
    for (const key of value.keys()) {
      if (typeof key !== 'number' || !keys.includes(key)) throw new WireError(Reason.malformed, `${what}: unknown key`);
    }
    this.#what = what;
    this.#map = value;
  }

  has(key: number): boolean {
    return this.#map.has(key);
  }
  #name(key: number): string {
    return `${this.#what} key ${key}`;
  }
  bytes(key: number, length: number): Uint8Array {
    const value = this.#map.get(key);
    if (!(value instanceof Uint8Array) || value.length !== length) throw bad(this.#name(key), `${length} bytes`);
    return value;
  }
  bytesUpTo(key: number, maxLength: number): Uint8Array {
    const value = this.#map.get(key);
    if (!(value instanceof Uint8Array) || value.length > maxLength)
      throw bad(this.#name(key), `up to ${maxLength} bytes`);
    return value;
  }
  text(key: number, maxLength: number): string {
    const value = this.#map.get(key);
    if (typeof value !== 'string' || value.length > maxLength) throw bad(this.#name(key), `text up to ${maxLength}`);
    return value;
  }
  uint(key: number): bigint {
    return asUint(this.#name(key), this.#map.get(key));
  }
  /** Reads an unsigned number up to 2^53 - 1: a time in milliseconds or seconds, a count. */
  safe(key: number): number {
    return asSafe(this.#name(key), this.#map.get(key));
  }
  list(key: number): CborValue[] {
    const value = this.#map.get(key);
    if (!Array.isArray(value)) throw bad(this.#name(key), 'a list');
    return value;
  }
  map(key: number): CborMap {
    const value = this.#map.get(key);
    if (!(value instanceof Map)) throw bad(this.#name(key), 'a map');
    return value;
  }
}

/** Reads an unsigned 64-bit number, whichever of the two types the decoder chose. */
export function asUint(what: string, value: CborValue | undefined): bigint {
  if (typeof value === 'bigint' && value >= 0n && value < 1n << 64n) return value;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return BigInt(value);
  throw bad(what, 'an unsigned number');
}

/** Reads an unsigned number up to 2^53 - 1. */
export function asSafe(what: string, value: CborValue | undefined): number {
  const wide = asUint(what, value);
  if (wide > BigInt(Number.MAX_SAFE_INTEGER)) throw bad(what, 'a number up to 2^53 - 1');
  return Number(wide);
}
