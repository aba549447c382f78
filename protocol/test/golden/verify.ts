import * as ed from '@noble/ed25519';
import { sha512 } from '@noble/hashes/sha2.js';
import { concatBytes, fromHex, toHex, type VerifyVector } from '../../src/index.js';

ed.hashes.sha512 = (message: Uint8Array) => sha512(message);

const { Point } = ed;
type EdPoint = InstanceType<typeof Point>;
const L = Point.CURVE().n;
const P = Point.CURVE().p;

function littleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${toHex(bytes.slice().reverse())}`);
}
function bytes32(n: bigint): Uint8Array {
  return fromHex(n.toString(16).padStart(64, '0')).reverse();
}

// The eight points whose order divides 8 form a cyclic group; this is a generator of it (RFC 8032, section 5.1).
const T8 = Point.fromHex('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05', true);

function scaled(point: EdPoint, n: number): EdPoint {
  let sum = Point.ZERO;
  for (let i = 0; i < n; i++) sum = sum.add(point);
  return sum;
}

const a = littleEndian(sha512(new Uint8Array(32).fill(7)).slice(0, 32)) % L;
const A = Point.BASE.multiply(a);

function message(n: number): Uint8Array {
  const bytes = new Uint8Array(115);
  new DataView(bytes.buffer).setUint32(0, n, true);
  return bytes;
}
function nonce(n: number): bigint {
  return littleEndian(sha512(concatBytes(bytes32(a), message(n)))) % L;
}
function challenge(r: Uint8Array, key: Uint8Array, m: Uint8Array): bigint {
  return littleEndian(sha512(concatBytes(r, key, m))) % L;
}

/** Returns the same point (or a small multiple's encoding) written with y + p, when that fits 255 bits; else null. */
function nonCanonical(point: EdPoint): Uint8Array | null {
  const encoded = point.toBytes();
  const sign = (encoded[31] ?? 0) & 0x80;
  encoded[31] = (encoded[31] ?? 0) & 0x7f;
  const y = littleEndian(encoded) + P;
  if (y >= 1n << 255n) return null;
  const out = bytes32(y);
  out[31] = (out[31] ?? 0) | sign;
  return out;
}

/** Cases beside those of the first file. A laxer check would accept each. */
export function extraVerifyCases(): VerifyVector[] {
  const cases: VerifyVector[] = [];
  const add = (name: string, key: Uint8Array, m: Uint8Array, r: Uint8Array, s: Uint8Array, valid: boolean) =>
    cases.push({ name, publicKey: toHex(key), message: toHex(m), signature: toHex(concatBytes(r, s)), valid });
  torsionInKey(add);
  torsionInR(add);
  smallOrder(add);
  nonCanonicalScalar(add);
  return cases;
}

type Add = (name: string, key: Uint8Array, m: Uint8Array, r: Uint8Array, s: Uint8Array, valid: boolean) => void;

/** S = r + k a with the key A + T: cofactorless this holds exactly when k T is the identity. */
function torsionInKey(add: Add): void {
  const key = A.add(T8).toBytes();
  const seen = new Set<number>();
  for (let n = 0; seen.size < 8; n++) {
    const r = nonce(n);
    const R = Point.BASE.multiply(r).toBytes();
    const k = challenge(R, key, message(n));
    const rest = Number(k % 8n);
    if (seen.has(rest)) continue;
    seen.add(rest);
    add(`torsion in the key, k mod 8 = ${rest}`, key, message(n), R, bytes32((r + k * a) % L), rest === 0);
  }
}

function torsionInR(add: Add): void {
  for (let i = 1; i < 8; i++) {
    const r = nonce(i);
    const R = Point.BASE.multiply(r).add(scaled(T8, i)).toBytes();
    const k = challenge(R, A.toBytes(), message(i));
    add(`torsion ${i} of 8 in R`, A.toBytes(), message(i), R, bytes32((r + k * a) % L), false);
  }
}

/** Keys and R of small order, in canonical and other encodings, with S such that the equation itself holds. */
function smallOrder(add: Add): void {
  for (let i = 0; i < 8; i++) {
    const point = scaled(T8, i);
    const encodings: [string, Uint8Array | null][] = [
      ['', point.toBytes()],
      [', y written with p added', nonCanonical(point)],
    ];
    for (const [how, key] of encodings) {
      if (!key) continue;
      // R = r B and S = r: holds where k A is the identity, so look for such a message.
      for (let n = 0; ; n++) {
        const R = Point.BASE.multiply(nonce(n)).toBytes();
        if (!scaled(point, Number(challenge(R, key, message(n)) % 8n)).equals(Point.ZERO)) continue;
        add(`key of small order, ${i} of 8${how}`, key, message(n), R, bytes32(nonce(n)), false);
        break;
      }
      // R of small order and S = k a: S B - k A is the identity. So the equation holds when R is the identity, or when its
      // torsion is multiplied away.
      const k = challenge(key, A.toBytes(), message(i));
      add(`R of small order, ${i} of 8${how}`, A.toBytes(), message(i), key, bytes32((k * a) % L), false);
    }
  }
  const negativeZero = bytes32(1n | (1n << 255n));
  const R = Point.BASE.multiply(nonce(0)).toBytes();
  add('identity with the sign bit set as key', negativeZero, message(0), R, bytes32(nonce(0)), false);
  const k = challenge(negativeZero, A.toBytes(), message(0));
  add('identity with the sign bit set as R', A.toBytes(), message(0), negativeZero, bytes32((k * a) % L), false);
}

function nonCanonicalScalar(add: Add): void {
  const r = nonce(99);
  const R = Point.BASE.multiply(r).toBytes();
  const s = (r + challenge(R, A.toBytes(), message(99)) * a) % L;
  add('good, all-but-zero message', A.toBytes(), message(99), R, bytes32(s), true);
  for (let i = 1n; s + i * L < 1n << 256n; i++) {
    add(`S + ${i} L`, A.toBytes(), message(99), R, bytes32(s + i * L), false);
  }
}
