import { createRequire } from 'node:module';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type CborValue,
  decodeCbor,
  decodePayload,
  ed25519Signer,
  encodeCbor,
  encodePayload,
  encodeSign1,
  formatTopic,
  fromHex,
  Kind,
  MAX_U16,
  MAX_U32,
  MAX_U64,
  MerkleBuilder,
  merkleRoot,
  type Payload,
  parseSign1,
  parseSimulatedClock,
  parseTopic,
  Reason,
  realTimeOf,
  SIGN1_BYTES,
  type SodiumVerify,
  STREAMS,
  sigStructure,
  simulatedNow,
  sodiumVerifier,
  splitSequence,
  type Topic,
  toHex,
  WireError,
} from '../src/index.js';
import { naiveRoot } from './golden/structures.js';
import { reasonOf } from './reason-of.js';

const sodium = createRequire(new URL('../../oracle/package.json', import.meta.url))('sodium-native') as SodiumVerify;
const verifier = sodiumVerifier(sodium);
const signer = ed25519Signer(new Uint8Array(32).fill(1));

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const u16 = fc.integer({ min: 0, max: MAX_U16 });
const u32 = fc.integer({ min: 0, max: MAX_U32 });
const u64 = fc.bigInt({ min: 0n, max: MAX_U64 });
const i64 = fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n });
const optional = (max: number, min = 0) => fc.option(fc.integer({ min, max }), { nil: null });
const header = { networkId: bytes(8), meterId: bytes(16), seq: fc.bigInt({ min: 1n, max: MAX_U64 }) };

const payloads: fc.Arbitrary<Payload> = fc.oneof(
  fc.record({
    kind: fc.constant(Kind.reading),
    ...header,
    timeMs: i64,
    importWh: u64,
    exportWh: u64,
    powerW: optional(0x7fff_ffff, -0x7fff_ffff),
    voltageDv: optional(MAX_U16 - 1),
    frequencyChz: optional(MAX_U16 - 1),
    timeUncertaintyMs: optional(MAX_U32 - 1),
    quality: u16,
    bootCount: u16,
    raw: bytes(4),
    prev: bytes(16),
  }),
  fc.record({
    kind: fc.constant(Kind.statement),
    ...header,
    window: u32,
    importWh: u64,
    exportWh: u64,
    readingCount: u16,
    quality: u16,
    timeUncertaintyMs: optional(MAX_U32 - 1),
    readingsRoot: bytes(32),
  }),
  fc.record({
    kind: fc.constant(Kind.event),
    ...header,
    timeMs: i64,
    code: u16,
    quality: u16,
    bootCount: u32,
    detail: u32,
    value: u64,
    data: bytes(16),
    prev: bytes(16),
  }),
  fc.record({
    kind: fc.constant(Kind.enrolment),
    ...header,
    owner: bytes(32),
    importWh: u64,
    exportWh: u64,
    zone: u16,
    source: fc.constantFrom(0 as const, 1 as const, 2 as const, 3 as const, 4 as const, 5 as const),
    role: fc.constantFrom(0 as const, 1 as const, 2 as const),
    deviceSigned: fc.boolean(),
    keyEpoch: u32,
    window: u32,
  }),
);

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

it('the streaming Merkle builder equals the recursive definition', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 100 }), { maxLength: 70 }), (leaves) => {
      expect(toHex(merkleRoot(leaves))).toBe(toHex(naiveRoot(leaves)));
      // The root can be asked for at any time and does not disturb what follows.
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
