import { createRequire } from 'node:module';
import {
  proveVerifier,
  type Signer,
  type SodiumVerify,
  sodiumVerifier,
  useSha256,
  type Verifier,
  verifyVectors,
} from '@gridtokenx/protocol';

/** The used part of the binding, which ships no types. */
export interface Sodium extends SodiumVerify {
  crypto_sign_seed_keypair(publicKey: Buffer, secretKey: Buffer, seed: Buffer): void;
  crypto_sign_detached(signature: Buffer, message: Buffer, secretKey: Buffer): void;
  crypto_pwhash(out: Buffer, password: Buffer, salt: Buffer, passes: number, memoryBytes: number, kind: number): void;
  readonly crypto_pwhash_ALG_ARGON2ID13: number;
  crypto_hash_sha256(out: Buffer, input: Uint8Array): void;
}

let loaded: Sodium | null = null;

/** Returns the binding, loaded at its first use: commands without a key need not load it. */
function sodium(): Sodium {
  loaded ??= createRequire(import.meta.url)('sodium-native') as Sodium;
  return loaded;
}

const SEED_BYTES = 32;
const SIGNATURE_BYTES = 64;
const DIGEST_BYTES = 32;
/** Longer inputs are rare and get buffers of their own. */
const INPUT_ROOM_BYTES = 4_096;

// The binding reads the buffer of a typed array. A short array lives inside the JavaScript heap, and Node would move it out, which
// costs more than a copy here. There is one thread and no await in between, so one buffer of each kind is enough.
const signatureRoom = Buffer.alloc(SIGNATURE_BYTES);
const digestRoom = Buffer.alloc(DIGEST_BYTES);
const inputRoom = Buffer.alloc(INPUT_ROOM_BYTES);

/** Hashes with libsodium. The protocol's own SHA-256 needs more than twice the time for a message. */
export function sodiumSha256(parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const room = length <= inputRoom.length ? inputRoom : Buffer.alloc(length);
  let at = 0;
  for (const part of parts) {
    room.set(part, at);
    at += part.length;
  }
  sodium().crypto_hash_sha256(digestRoom, room.subarray(0, length));
  return new Uint8Array(digestRoom);
}

/**
 * Returns libsodium as the signature check, after a proof on every golden case. From then on the protocol also hashes with
 * libsodium, which is proved in the same way. Throws an `Error` when the binding is missing or gives one wrong verdict: then
 * none can be trusted.
 */
export function provedVerifier(binding: () => Sodium = sodium): Verifier {
  const native = binding();
  useSha256(sodiumSha256);
  const verifier = sodiumVerifier({
    crypto_sign_verify_detached(signature, message, publicKey) {
      signatureRoom.set(signature);
      return native.crypto_sign_verify_detached(signatureRoom, message, publicKey);
    },
  });
  proveVerifier(verifier, verifyVectors);
  return verifier;
}

/**
 * Returns a signer over libsodium for a 32-byte RFC 8032 seed. It gives the bytes of the protocol's own signer in a tenth of
 * the time, without the garbage of big integers. Throws `RangeError` for another length.
 */
export function sodiumSigner(seed: Uint8Array): Signer {
  if (seed.length !== SEED_BYTES) throw new RangeError(`Ed25519 seed of ${seed.length} bytes, expected ${SEED_BYTES}`);
  const publicKey = Buffer.alloc(32);
  const secret = Buffer.alloc(64);
  sodium().crypto_sign_seed_keypair(publicKey, secret, Buffer.from(seed));
  return {
    publicKey: new Uint8Array(publicKey),
    sign(message) {
      const signature = Buffer.alloc(SIGNATURE_BYTES);
      sodium().crypto_sign_detached(signature, Buffer.from(message), secret);
      return new Uint8Array(signature);
    },
  };
}

/** Cost of one guess of a passphrase. */
export interface Argon2Cost {
  readonly passes: number;
  readonly memoryKib: number;
}

/**
 * Returns 32 bytes of Argon2id (RFC 9106, one lane) over a passphrase and a salt of 16 bytes. Blocks the thread for the
 * time that the cost demands. Throws an `Error` for another length of salt, and when the memory is not there.
 */
export function argon2id(passphrase: Uint8Array, salt: Uint8Array, { passes, memoryKib }: Argon2Cost): Uint8Array {
  const out = Buffer.alloc(32);
  const native = sodium();
  const [password, grains] = [Buffer.from(passphrase), Buffer.from(salt)];
  native.crypto_pwhash(out, password, grains, passes, memoryKib * 1024, native.crypto_pwhash_ALG_ARGON2ID13);
  return new Uint8Array(out);
}
