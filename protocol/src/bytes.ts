import { sha256 as nobleSha256 } from '@noble/hashes/sha2.js';
import { base58 } from '@scure/base';

/** Returns SHA-256 of the concatenation of `parts`: 32 new bytes at each call. */
export type Sha256 = (parts: readonly Uint8Array[]) => Uint8Array;

const portableSha256: Sha256 = (parts) => {
  const hash = nobleSha256.create();
  for (const part of parts) hash.update(part);
  return hash.digest();
};
let inUse = portableSha256;

/** Returns SHA-256 of the concatenation of `parts`, 32 bytes. */
export function sha256(...parts: Uint8Array[]): Uint8Array {
  return inUse(parts);
}

/** Lengths around the ends of SHA-256's blocks, and the lengths of a node, a payload, a message and a packet. */
const PROVED_LENGTHS = [0, 1, 55, 56, 63, 64, 65, 97, 119, 120, 128, 171, 3_420, 65_536];

/**
 * Replaces the portable SHA-256 by a native one: services hash every message several times. Compares both first. Throws an
 * `Error` when they differ, and then changes nothing.
 */
export function useSha256(native: Sha256): void {
  for (const length of PROVED_LENGTHS) {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 31 + length) & 0xff);
    const expected = portableSha256([bytes]);
    const middle = length >> 1;
    const [whole, cut] = [native([bytes]), native([bytes.subarray(0, middle), bytes.subarray(middle)])];
    if (whole === cut || !equalBytes(whole, expected) || !equalBytes(cut, expected)) {
      throw new Error(`the native SHA-256 is wrong for ${length} bytes`);
    }
  }
  inUse = native;
}

/** Joins byte strings into a new one. */
export function concatBytes(...parts: Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const joined = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/**
 * Copies part of `bytes` into a plain `Uint8Array`. `slice` of Node's `Buffer` does not copy, and a socket delivers Buffers. A
 * decoded field must not change with its packet, nor the packet with the field.
 */
export function copyBytes(bytes: Uint8Array, start = 0, end = bytes.length): Uint8Array {
  return new Uint8Array(bytes.subarray(start, end));
}

/** Returns true when both have the same length and bytes. Not constant-time: for public values only. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

const HEX: string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** Returns lower-case hexadecimal text. */
export function toHex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += HEX[byte];
  return text;
}

/** Returns the bytes of hexadecimal text of either case. Throws `RangeError` for anything else. */
export function fromHex(text: string): Uint8Array {
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) throw new RangeError(`not hexadecimal: "${text}"`);
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

/** Returns base58 text in Bitcoin's alphabet, as Solana writes public keys. */
export function base58Encode(bytes: Uint8Array): string {
  return base58.encode(bytes);
}

/** Returns the bytes of base58 text. Throws `RangeError` for a character outside the alphabet. */
export function base58Decode(text: string): Uint8Array {
  try {
    return base58.decode(text);
  } catch (cause) {
    throw new RangeError(`not base58: "${text.slice(0, 64)}"`, { cause });
  }
}

/** Returns the 32 bytes of a base58 public key. Throws `RangeError` for other text, and for a key in another spelling. */
export function publicKeyFromBase58(text: string): Uint8Array {
  if (text.length < 32 || text.length > 44) throw new RangeError(`not a base58 public key: "${text.slice(0, 64)}"`);
  const key = base58Decode(text);
  if (key.length !== 32)
    throw new RangeError(`not a base58 public key: "${text}" has ${key.length} bytes, expected 32`);
  return key;
}
