import { createRequire } from 'node:module';
import type { Signer } from '@gridtokenx/protocol';

/** The part of the binding that is used; it ships no types. */
interface Sodium {
  crypto_sign_seed_keypair(publicKey: Buffer, secretKey: Buffer, seed: Buffer): void;
  crypto_sign_detached(signature: Buffer, message: Buffer, secretKey: Buffer): void;
}

let loaded: Sodium | null = null;

/** Loaded at the first key: commands that need none do not pay for it. */
function sodium(): Sodium {
  loaded ??= createRequire(import.meta.url)('sodium-native') as Sodium;
  return loaded;
}

/**
 * Signs with a 32-byte RFC 8032 seed by libsodium. The same bytes as the protocol's own signer, whose arithmetic on big
 * integers leaves garbage that makes the process 20 MB larger (docs/benchmarks.md). Throws `RangeError` for another
 * length.
 */
export function sodiumSigner(seed: Uint8Array): Signer {
  if (seed.length !== 32) throw new RangeError(`Ed25519 seed of ${seed.length} bytes, expected 32`);
  const publicKey = Buffer.alloc(32);
  const secret = Buffer.alloc(64);
  sodium().crypto_sign_seed_keypair(publicKey, secret, Buffer.from(seed));
  return {
    publicKey: new Uint8Array(publicKey),
    sign(message) {
      const signature = Buffer.alloc(64);
      sodium().crypto_sign_detached(signature, Buffer.from(message), secret);
      return new Uint8Array(signature);
    },
  };
}
