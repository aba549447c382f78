import fc from 'fast-check';
import { Kind, MAX_U16, MAX_U32, MAX_U64, MAX_VALUES, type PayloadToEncode } from '../../src/index.js';

/** Draws the fields of every kind of payload over their whole ranges. */
export const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
export const u16 = fc.integer({ min: 0, max: MAX_U16 });
export const u32 = fc.integer({ min: 0, max: MAX_U32 });
export const u64 = fc.bigInt({ min: 0n, max: MAX_U64 });
export const i64 = fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n });
export const optional = (max: number, min = 0) => fc.option(fc.integer({ min, max }), { nil: null });
export const header = { networkId: bytes(8), meterId: bytes(16), seq: fc.bigInt({ min: 1n, max: MAX_U64 }) };

export const payloads: fc.Arbitrary<PayloadToEncode> = fc.oneof(
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
  fc.record({
    kind: fc.constant(Kind.moreValues),
    ...header,
    timeMs: i64,
    values: fc
      .uniqueArray(
        fc.record({
          code: fc.integer({ min: 1, max: MAX_U16 }),
          value: fc.integer({ min: -0x7fff_ffff, max: 0x7fff_ffff }),
        }),
        { minLength: 1, maxLength: MAX_VALUES, selector: ({ code }) => code },
      )
      .map((values) => values.sort((a, b) => a.code - b.code)),
    timeUncertaintyMs: optional(MAX_U32 - 1),
  }),
);
