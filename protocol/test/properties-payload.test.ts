import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodePayload,
  ed25519Signer,
  encodePayload,
  encodeSign1,
  Kind,
  MAX_U16,
  MAX_U32,
  MAX_U64,
  type Payload,
  parseSign1,
  Reason,
  SIGN1_BYTES,
  sigStructure,
  splitSequence,
  WireError,
} from '../src/index.js';
import { reasonOf } from './reason-of.js';
import { bytes, payloads } from './support/arbitraries.js';
import { verifier } from './support/verifier.js';

const signer = ed25519Signer(new Uint8Array(32).fill(1));
describe('payload', () => {
  it('survives the round trip, also through a Buffer', () => {
    fc.assert(
      fc.property(payloads, (payload) => {
        const encoded = encodePayload(payload);
        expect(encoded.length).toBe(96);
        expect(decodePayload(encoded)).toEqual(payload);
        const buffer = Buffer.from(encoded);
        const decoded = decodePayload(buffer);
        buffer.fill(0);
        expect(encodePayload(decoded)).toEqual(encoded);
      }),
    );
  });

  it('any 96 bytes are refused with a reason or are exactly one payload', () => {
    const almost = fc.tuple(payloads, fc.nat({ max: 95 }), fc.nat({ max: 255 })).map(([payload, at, value]) => {
      const encoded = encodePayload(payload);
      encoded[at] = value;
      return encoded;
    });
    fc.assert(
      fc.property(fc.oneof(bytes(96), almost), (given) => {
        let decoded: Payload;
        try {
          decoded = decodePayload(given);
        } catch (error) {
          expect(error).toBeInstanceOf(WireError);
          return;
        }
        expect(encodePayload(decoded)).toEqual(given);
      }),
      { numRuns: 1000 },
    );
  });

  it('values that do not fit are refused by name, not wrapped', () => {
    const reading = fc.sample(
      payloads.filter((p) => p.kind === Kind.reading),
      1,
    )[0];
    if (reading?.kind !== Kind.reading) throw new Error('unreachable');
    const cases: [string, object][] = [
      ['importWh', { importWh: MAX_U64 + 1n }],
      ['importWh', { importWh: -1n }],
      ['seq', { seq: 1n << 64n }],
      ['timeMs', { timeMs: 1n << 63n }],
      ['powerW', { powerW: -0x8000_0000 }],
      ['powerW', { powerW: 1.5 }],
      ['voltageDv', { voltageDv: MAX_U16 }],
      ['timeUncertaintyMs', { timeUncertaintyMs: MAX_U32 }],
      ['quality', { quality: 65_536 }],
      ['meterId', { meterId: new Uint8Array(15) }],
      ['prev', { prev: new Uint8Array(17) }],
    ];
    for (const [name, change] of cases) {
      expect(() => encodePayload({ ...reading, ...change }), name).toThrow(RangeError);
      expect(() => encodePayload({ ...reading, ...change })).toThrow(name);
    }
  });
});

describe('more values', () => {
  const header = { networkId: new Uint8Array(8), meterId: new Uint8Array(16), seq: 1n };
  const values = (list: readonly (readonly [code: number, value: number])[]) =>
    encodePayload({
      ...{ kind: Kind.moreValues, ...header, timeMs: 0n, timeUncertaintyMs: 0 },
      values: list.map(([code, value]) => ({ code, value })),
    });

  it('that do not fit are refused by the writer', () => {
    expect(() => values([])).toThrow('values');
    expect(() => values(Array.from({ length: 9 }, (_, i) => [i + 1, 0] as const))).toThrow('values');
    expect(() => values([[0, 1]])).toThrow('code');
    expect(() =>
      values([
        [2, 1],
        [2, 1],
      ]),
    ).toThrow('code');
    expect(() => values([[1, -0x8000_0000]])).toThrow('value');
    expect(() => values([[1, 0.5]])).toThrow('value');
  });

  it('of any bytes behind a right header are refused as malformed or are exactly one payload', () => {
    const head = values([[1, 1]]).subarray(0, 36);
    fc.assert(
      fc.property(bytes(60), fc.nat({ max: 60 }), (rest, kept) => {
        const given = new Uint8Array([...head, ...rest.fill(0, Math.min(kept, 56), 56)]);
        let decoded: Payload;
        try {
          decoded = decodePayload(given);
        } catch (error) {
          expect((error as WireError).reason).toBe(Reason.malformed);
          return;
        }
        expect(encodePayload(decoded)).toEqual(given);
      }),
    );
  });
});

describe('message', () => {
  const payload = encodePayload({ ...(fc.sample(payloads, { numRuns: 1, seed: 1 })[0] as Payload) });
  const message = encodeSign1(payload, signer.sign(sigStructure(payload)));
  const verifies = (given: Uint8Array) => {
    const { payload: p, signature } = parseSign1(given);
    return verifier.verify(signature, sigStructure(p), signer.publicKey);
  };

  it('every changed byte is a malformed frame or a bad signature', () => {
    expect(verifies(message)).toBe(true);
    for (let at = 0; at < SIGN1_BYTES; at++) {
      for (const flip of [1, 0x80, 0xff]) {
        const changed = message.slice();
        changed[at] = (changed[at] ?? 0) ^ flip;
        let taken = false;
        try {
          taken = verifies(changed);
        } catch (error) {
          expect(error).toBeInstanceOf(WireError);
        }
        expect(taken, `byte ${at} ^ ${flip}`).toBe(false);
      }
    }
  });

  it('any other length is malformed', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (tail) => {
        for (const given of [tail, Buffer.concat([message, tail])]) {
          if (given.length !== SIGN1_BYTES) expect(reasonOf(() => parseSign1(given))).toBe(Reason.malformed);
        }
      }),
    );
  });

  it('parsing a Buffer copies: the packet may be reused', () => {
    const packet = Buffer.from(message);
    const parsed = parseSign1(packet);
    packet.fill(0);
    expect(verifier.verify(parsed.signature, sigStructure(parsed.payload), signer.publicKey)).toBe(true);
  });

  it('a sequence is n x 171 with 1 <= n <= 200 and nothing else', () => {
    fc.assert(
      fc.property(fc.nat({ max: 202 }), fc.integer({ min: -2, max: 2 }), (n, off) => {
        const length = Math.max(0, n * SIGN1_BYTES + off);
        const legal = length > 0 && length % SIGN1_BYTES === 0 && length / SIGN1_BYTES <= 200;
        const work = () => splitSequence(new Uint8Array(length));
        if (legal) expect(work().length).toBe(length / SIGN1_BYTES);
        else expect(reasonOf(work)).toBe(Reason.malformed);
      }),
    );
  });
});
