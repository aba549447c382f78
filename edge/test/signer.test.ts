import { ed25519Signer, sigStructure, toHex } from '@gridtokenx/protocol';
import { sodiumSigner } from '@gridtokenx/runtime/node';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });

describe('the gateway signs by libsodium', () => {
  it('with the same bytes as the portable signer', () => {
    fc.assert(
      fc.property(bytes(32), bytes(96), (seed, payload) => {
        const message = sigStructure(payload);
        const [native, portable] = [sodiumSigner(seed), ed25519Signer(seed)];
        expect(toHex(native.publicKey)).toBe(toHex(portable.publicKey));
        expect(toHex(native.sign(message))).toBe(toHex(portable.sign(message)));
        // Control: another message has another signature.
        expect(toHex(native.sign(message.subarray(1)))).not.toBe(toHex(portable.sign(message)));
      }),
      { numRuns: 50 },
    );
  });

  it('as RFC 8032, section 7.1, test 1 says', () => {
    const seed = Buffer.from('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60', 'hex');
    const signer = sodiumSigner(seed);
    expect(toHex(signer.publicKey)).toBe('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a');
    expect(toHex(signer.sign(new Uint8Array()))).toBe(
      'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155' +
        '5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
    );
  });

  it('keeps the key when the seed is wiped, and refuses another length', () => {
    const seed = new Uint8Array(32).fill(7);
    const signer = sodiumSigner(seed);
    const before = toHex(signer.sign(Uint8Array.of(1)));
    seed.fill(0);
    expect(toHex(signer.sign(Uint8Array.of(1)))).toBe(before);
    expect(() => sodiumSigner(new Uint8Array(31))).toThrow('expected 32');
  });
});
