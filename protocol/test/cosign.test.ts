import { describe, expect, it } from 'vitest';
import {
  type CborValue,
  type CosignRequest,
  ed25519Signer,
  openCosignRequest,
  Purpose,
  Reason,
  signControl,
  signCosignRequest,
} from '../src/index.js';
import { reasonOf } from './reason-of.js';
import { verifier } from './support/verifier.js';

const [signer, other] = [ed25519Signer(new Uint8Array(32).fill(1)), ed25519Signer(new Uint8Array(32).fill(2))];
const request = (statements: number): CosignRequest => ({
  networkId: new Uint8Array(8).fill(3),
  timeMs: 1_700_000_000_123,
  to: other.publicKey,
  transaction: new Uint8Array(900).fill(4),
  statements: Array.from({ length: statements }, (_, i) => new Uint8Array(171).fill(i)),
});
const open = (message: Uint8Array) => openCosignRequest(message, signer.publicKey, verifier);

describe('a request to co-sign', () => {
  it.each([0, 1, 256])('comes back as it was with %i statements, inside one packet', (count) => {
    const message = signCosignRequest(request(count), signer);
    expect(open(message)).toEqual(request(count));
    expect(message.length).toBeLessThan(65_536);
  });

  it('is not made with 257 statements or one of another length', () => {
    expect(() => signCosignRequest(request(257), signer)).toThrow(RangeError);
    expect(() => signCosignRequest({ ...request(0), statements: [new Uint8Array(170)] }, signer)).toThrow(RangeError);
  });

  it('is refused changed, cut, or from another key', () => {
    const message = signCosignRequest(request(1), signer);
    expect(reasonOf(() => openCosignRequest(message, other.publicKey, verifier))).toBe(Reason.badSignature);
    for (let at = 0; at < message.length; at += 7) {
      const changed = message.slice();
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(
        reasonOf(() => open(changed)),
        `byte ${at}`,
      ).not.toBe(null);
      expect(
        reasonOf(() => open(message.subarray(0, at))),
        `cut ${at}`,
      ).toBe(Reason.malformed);
    }
  });

  it('has every field, each within its bounds', () => {
    const good = new Map<number, CborValue>([
      [1, new Uint8Array(8)],
      [2, 5],
      [3, new Uint8Array(32)],
      [4, new Uint8Array(1_232)],
      [5, new Uint8Array(171 * 256)],
    ]);
    const of = (...change: [number, CborValue][]) =>
      reasonOf(() => open(signControl(Purpose.cosign, new Map([...good, ...change]), signer)));
    expect(of()).toBe(null);
    const bad: [number, CborValue][] = [
      [1, new Uint8Array(7)],
      [2, -1],
      [3, new Uint8Array(31)],
      [4, new Uint8Array(1_233)],
      [5, new Uint8Array(172)],
      [5, new Uint8Array(171 * 257)],
      [6, 0],
    ];
    for (const change of bad) expect(of(change), `key ${change[0]}`).toBe(Reason.malformed);
  });
});
