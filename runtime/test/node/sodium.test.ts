import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import { ed25519Signer, equalBytes } from '@gridtokenx/protocol';
import { describe, expect, test } from 'vitest';
import { provedVerifier, type Sodium, sodiumSha256, sodiumSigner } from '../../src/node/index.js';

const sodium = createRequire(import.meta.url)('sodium-native') as Sodium;
const seed = new Uint8Array(32).fill(9);

describe('the proved verifier', () => {
  test('takes a good signature and refuses a changed one', () => {
    const verifier = provedVerifier();
    const signer = sodiumSigner(seed);
    const message = Uint8Array.of(1, 2, 3);
    const signature = signer.sign(message);
    expect(verifier.name).toBe('libsodium');
    expect(verifier.verify(signature, message, signer.publicKey)).toBe(true);
    expect(verifier.verify(signature, Uint8Array.of(1, 2, 4), signer.publicKey)).toBe(false);
  });

  test.each([true, false])('is not given out by a binding that always says %s', (answer) => {
    const lying = { ...sodium, crypto_sign_verify_detached: () => answer } as Sodium;
    expect(() => provedVerifier(() => lying)).toThrow(/judges ".+" as (in)?valid/);
  });

  test('is not given out without a binding', () => {
    const missing = () => {
      throw new Error('Cannot find module sodium-native');
    };
    expect(() => provedVerifier(missing)).toThrow('sodium-native');
  });
});

test('signs the same bytes as the protocol', () => {
  const [ours, other] = [sodiumSigner(seed), ed25519Signer(seed)];
  expect(equalBytes(ours.publicKey, other.publicKey)).toBe(true);
  for (const length of [0, 1, 64, 5_000]) {
    const message = new Uint8Array(length).fill(length);
    expect(equalBytes(ours.sign(message), other.sign(message))).toBe(true);
  }
  expect(() => sodiumSigner(new Uint8Array(31))).toThrow('31 bytes, expected 32');
});

test('hashes parts as one, in memory of its own', () => {
  const parts = [Uint8Array.of(1), new Uint8Array(5_000).fill(2)];
  const first = sodiumSha256(parts);
  expect(Buffer.from(first)).toEqual(createHash('sha256').update(Buffer.concat(parts)).digest());
  sodiumSha256([Uint8Array.of(9)]);
  expect(Buffer.from(first)).toEqual(createHash('sha256').update(Buffer.concat(parts)).digest());
});
