import * as ed from '@noble/ed25519';
import { sha512 } from '@noble/hashes/sha2.js';
import { copyBytes, equalBytes, fromHex } from './bytes.js';

ed.hashes.sha512 = (message: Uint8Array) => sha512(message);

/** Holds a private key. Hardware keys (TPM, PKCS#11) implement the same port later. */
export interface Signer {
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  /** Returns an Ed25519 signature (64 bytes) over `message`. */
  sign(message: Uint8Array): Uint8Array;
}

/** Checks Ed25519 signatures; cofactorless and strict [wire §2.2]. */
export interface Verifier {
  /** Names the implementation, for people. */
  readonly name: string;
  /** Returns false for every input that is not a strictly valid signature. Never throws. */
  verify(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean;
}

/** Signs with a 32-byte RFC 8032 seed that is held in memory. */
export function ed25519Signer(seed: Uint8Array): Signer {
  if (seed.length !== 32) throw new RangeError(`Ed25519 seed of ${seed.length} bytes, expected 32`);
  const secret = copyBytes(seed);
  const publicKey = ed.getPublicKey(secret);
  return { publicKey, sign: (message) => ed.sign(message, secret) };
}

/**
 * Returns true when the key may be enrolled: a canonical encoding of a point without a torsion component, and not the identity.
 * Verifiers disagree on signatures of a key with a torsion component.
 */
export function isTorsionFreeKey(publicKey: Uint8Array): boolean {
  if (publicKey.length !== 32) return false;
  try {
    const point = ed.Point.fromBytes(publicKey, false);
    return !point.isSmallOrder() && point.isTorsionFree();
  } catch {
    return false;
  }
}

/** The used part of libsodium's binding. `sodium-native` has this shape; the application passes it. */
export interface SodiumVerify {
  crypto_sign_verify_detached(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean;
}

// The y-coordinates of the eight points of small order, sign bit cleared, canonical and not; RFC 8032 section 5.1.3.
const SMALL_ORDER_Y = [
  '0100000000000000000000000000000000000000000000000000000000000000',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  '0000000000000000000000000000000000000000000000000000000000000000',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
].map(fromHex);

function isSmallOrderEncoding(encoded: Uint8Array): boolean {
  const y = copyBytes(encoded);
  y[31] = (y[31] ?? 0) & 0x7f;
  return SMALL_ORDER_Y.some((bad) => equalBytes(bad, y));
}

/** Verifies strictly with libsodium. Refuses small-order A and R here too, so that no build option matters. */
export function sodiumVerifier(sodium: SodiumVerify): Verifier {
  return {
    name: 'libsodium',
    verify(signature, message, publicKey) {
      if (signature.length !== 64 || publicKey.length !== 32) return false;
      if (isSmallOrderEncoding(publicKey) || isSmallOrderEncoding(signature.subarray(0, 32))) return false;
      return sodium.crypto_sign_verify_detached(signature, message, publicKey);
    },
  };
}

/** One golden case of a verifier; hexadecimal. */
export interface VerifyVector {
  readonly name: string;
  readonly publicKey: string;
  readonly message: string;
  readonly signature: string;
  readonly valid: boolean;
}

/** Runs every golden case. Throws an `Error` that names the first wrong verdict. Services call it at start. */
export function proveVerifier(verifier: Verifier, vectors: readonly VerifyVector[]): void {
  if (!vectors.some((v) => v.valid) || !vectors.some((v) => !v.valid)) {
    throw new Error('the golden cases of the signature check need valid and invalid ones');
  }
  for (const vector of vectors) {
    const got = verifier.verify(fromHex(vector.signature), fromHex(vector.message), fromHex(vector.publicKey));
    if (got !== vector.valid) {
      throw new Error(`the ${verifier.name} signature check judges "${vector.name}" as ${got ? 'valid' : 'invalid'}`);
    }
  }
}
