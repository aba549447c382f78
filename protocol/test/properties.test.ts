import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type CborValue,
  decodeCbor,
  encodeCbor,
  formatTopic,
  fromHex,
  MerkleBuilder,
  merkleRoot,
  parseSimulatedClock,
  parseTopic,
  Reason,
  realTimeOf,
  STREAMS,
  simulatedNow,
  type Topic,
  toHex,
  type WireError,
} from '../src/index.js';
import { naiveRoot } from './golden/structures.js';
import { reasonOf } from './reason-of.js';
import { bytes, u16, u64 } from './support/arbitraries.js';

it('the streaming Merkle builder equals the recursive definition', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 100 }), { maxLength: 70 }), (leaves) => {
      expect(toHex(merkleRoot(leaves))).toBe(toHex(naiveRoot(leaves)));
      // A caller can read the root at any time without changing later roots.
      const builder = new MerkleBuilder();
      for (const [i, leaf] of leaves.entries()) {
        builder.add(leaf);
        if (i % 7 === 0) expect(toHex(builder.root())).toBe(toHex(naiveRoot(leaves.slice(0, i + 1))));
      }
    }),
  );
});

describe('CBOR', () => {
  const values: fc.Arbitrary<CborValue> = fc.letrec<{ value: CborValue }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 2 },
      fc.nat(),
      u64,
      fc.string(),
      fc.boolean(),
      fc.constant(null),
      fc.uint8Array({ maxLength: 40 }),
      fc.array(tie('value'), { maxLength: 5 }),
      fc
        .uniqueArray(fc.nat({ max: 300 }), { maxLength: 5 })
        .chain((keys) =>
          fc
            .tuple(...keys.map(() => tie('value')))
            .map((list) => new Map(keys.map((key, i) => [key, list[i] as CborValue]))),
        ),
    ),
  })).value;

  it('what is encoded decodes, and encodes to the same bytes', () => {
    fc.assert(
      fc.property(values, (value) => {
        const encoded = encodeCbor(value);
        expect(encodeCbor(decodeCbor(encoded))).toEqual(encoded);
      }),
    );
  });

  it('any bytes are refused as malformed or are the one encoding of what they say', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (given) => {
        let value: CborValue;
        try {
          value = decodeCbor(given);
        } catch (error) {
          expect((error as WireError).reason).toBe(Reason.malformed);
          return;
        }
        expect(encodeCbor(value)).toEqual(given);
      }),
      { numRuns: 2000 },
    );
  });

  it.each([
    ['number in more bytes than needed', '1801'],
    ['length in more bytes than needed', '580141'],
    ['64-bit number that fits 32', '1b0000000000000001'],
    ['indefinite array', '9f01ff'],
    ['indefinite text', '7f6161ff'],
    ['indefinite map', 'bf0102ff'],
    ['keys out of order', 'a202010100'],
    ['a key twice', 'a201000101'],
    ['float', 'f93c00'],
    ['not a number', 'f97e00'],
    ['infinity', 'f97c00'],
    ['undefined', 'f7'],
    ['a tag', 'c001'],
    ['two items', '0101'],
    ['nothing', ''],
    ['a length beyond the end', '5bffffffffffffffff'],
    ['an array longer than the message', '9bffffffffffffffff'],
    ['broken UTF-8', '61ff'],
  ])('refuses %s', (_name, hex) => {
    expect(reasonOf(() => decodeCbor(fromHex(hex)))).toBe(Reason.malformed);
  });

  it('refuses deep nesting without falling over', () => {
    const deep = new Uint8Array(60_000).fill(0x81);
    expect(reasonOf(() => decodeCbor(deep))).toBe(Reason.malformed);
  });
});

it('topics survive the round trip and no other text is one', () => {
  const topics: fc.Arbitrary<Topic> = fc.oneof(
    fc.record({
      kind: fc.constant('stream' as const),
      gateway: bytes(32),
      meter: bytes(16),
      stream: fc.constantFrom(...STREAMS),
    }),
    fc.record({
      kind: fc.constantFrom('gateway-status' as const, 'command' as const, 'command-ack' as const),
      gateway: bytes(32),
    }),
    fc.record({ kind: fc.constant('ack' as const), gateway: bytes(32), oracle: bytes(32) }),
    fc.record({ kind: fc.constant('oracle-status' as const), oracle: bytes(32) }),
    fc.record({ kind: fc.constant('live' as const), zone: u16, meter: bytes(16) }),
  );
  fc.assert(
    fc.property(topics, fc.nat({ max: 200 }), fc.string({ minLength: 1, maxLength: 1 }), (topic, at, character) => {
      const text = formatTopic(topic);
      expect(parseTopic(text)).toEqual(topic);
      const changed = text.slice(0, at) + character + text.slice(at + 1);
      const parsed = parseTopic(changed);
      if (parsed) expect(formatTopic(parsed)).toBe(changed);
    }),
  );
});

describe('simulated time', () => {
  const clocks = fc.record({
    version: fc.constant(1 as const),
    speed: fc.integer({ min: 1, max: 500 }),
    anchorSimMs: fc.integer({ min: 1_000_000, max: 2_000_000_000 }).map((n) => n * 900),
    anchorRealMs: fc.integer({ min: 1_900_000_000_000, max: 2_000_000_000_000 }),
    reservedThroughMs: fc.integer({ min: 1_000_000, max: 3_000_000_000 }).map((n) => n * 900),
    segments: fc.constant([]),
  });

  it('never falls, never passes what is reserved, never runs ahead of real time', () => {
    fc.assert(
      fc.property(clocks, fc.array(fc.nat({ max: 10_000_000 }), { minLength: 2, maxLength: 20 }), (clock, steps) => {
        let [real, before] = [clock.anchorRealMs - 1_000, Number.NEGATIVE_INFINITY];
        for (const step of steps) {
          real += step;
          const now = simulatedNow(clock, real);
          expect(now).toBeGreaterThanOrEqual(before);
          expect(now).toBeLessThanOrEqual(clock.reservedThroughMs);
          expect(now).toBeLessThanOrEqual(Math.max(real, clock.anchorSimMs));
          before = now;
        }
      }),
    );
  });

  it('reaches an instant exactly when realTimeOf says, and not a millisecond of simulated time later', () => {
    fc.assert(
      fc.property(clocks, fc.integer({ min: 0, max: 100_000_000 }), (clock, ahead) => {
        const wide = { ...clock, reservedThroughMs: Number.MAX_SAFE_INTEGER };
        const target = clock.anchorSimMs + ahead;
        const real = realTimeOf(wide, target);
        expect(simulatedNow(wide, real)).toBeGreaterThanOrEqual(target);
        expect(simulatedNow(wide, real - 1)).toBeLessThan(target + clock.speed);
      }),
    );
  });

  it.each([
    ['version', { version: 2 }],
    ['speed', { speed: 0 }],
    ['speed', { speed: 'fast' }],
    ['segments', { segments: null }],
    ['anchorSimMs', { anchorSimMs: null }],
    ['boundaries', { segments: [{ simStartMs: 1, positionStartMs: 0, positionEndMs: null }] }],
    [
      'order',
      {
        segments: [
          { simStartMs: 900_000, positionStartMs: 0, positionEndMs: 1 },
          { simStartMs: 0, positionStartMs: 0, positionEndMs: null },
        ],
      },
    ],
  ])('refuses a file with a wrong %s', (name, change) => {
    const good = { version: 1, speed: 1, anchorSimMs: 0, anchorRealMs: 0, reservedThroughMs: 0, segments: [] };
    expect(() => parseSimulatedClock(JSON.stringify(good))).not.toThrow();
    expect(() => parseSimulatedClock(JSON.stringify({ ...good, ...change }))).toThrow(name);
  });
});
