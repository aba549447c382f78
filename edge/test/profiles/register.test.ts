import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ceil, compare, floor, fromFloat, parseDecimal, round } from '../../src/profiles/rational.js';
import { decodeRaw, exponentOf, type NumberType } from '../../src/profiles/register.js';
import { bytes, register } from './support.js';

/** The value and its bytes with the high word and the high byte first. */
const GOLDEN: readonly [NumberType, string, bigint | number][] = [
  ['u16', '00ff', 255n],
  ['u16', 'ffff', 65_535n],
  ['i16', '7fff', 32_767n],
  ['i16', 'ffff', -1n],
  ['i16', '8000', -32_768n],
  ['u32', '01020304', 0x0102_0304n],
  ['u32', 'ffffffff', 4_294_967_295n],
  ['i32', '80000000', -2_147_483_648n],
  ['i32', '0000303a', 12_346n],
  ['u64', '0102030405060708', 0x0102_0304_0506_0708n],
  ['u64', 'ffffffffffffffff', 18_446_744_073_709_551_615n],
  ['i64', 'fffffffffffffffe', -2n],
  ['acc32', '00000001', 1n],
  ['acc64', '0000000100000000', 4_294_967_296n],
  ['sunssf', 'fffd', -3n],
  ['f32', '449a5000', 1_234.5],
  ['f32', 'c2c80000', -100],
  ['f32', '00000001', 2 ** -149],
  ['f32', '80000000', 0],
  ['f64', '40934a0000000000', 1_234.5],
  ['f64', 'c059000000000000', -100],
  ['f64', '0000000000000001', Number.MIN_VALUE],
];

/** The same bytes as a meter of another order sends them. */
function reorder(data: Uint8Array, words: 'big' | 'little', order: 'big' | 'little'): Uint8Array {
  const pairs = Array.from({ length: data.length / 2 }, (_, i) => [...data.subarray(2 * i, 2 * i + 2)]);
  if (words === 'little') pairs.reverse();
  return Uint8Array.from(pairs.flatMap((pair) => (order === 'little' ? pair.reverse() : pair)));
}

const ORDERS = [
  ['big', 'big'],
  ['little', 'big'],
  ['big', 'little'],
  ['little', 'little'],
] as const;

describe.each(ORDERS)('words %s first, bytes %s first', (words, order) => {
  it.each(GOLDEN)('%s %s', (type, hex, value) => {
    const data = reorder(bytes(hex), words, order);
    const raw = decodeRaw(register({ type, words, bytes: order }), data);
    if (raw.kind !== 'number') throw new Error(raw.kind);
    const expected = typeof value === 'bigint' ? { num: value, den: 1n } : fromFloat(value);
    expect(compare(raw.value, expected)).toBe(0);
    // A control: in the other order of words a value of several registers is another one, unless it looks the same.
    const other = reorder(data, 'little', 'big');
    if (Buffer.compare(other, data) !== 0) {
      const wrong = decodeRaw(register({ type, words, bytes: order }), other);
      expect(wrong.kind === 'number' && compare(wrong.value, raw.value) === 0).toBe(false);
    }
  });
});

describe('what has no value', () => {
  it.each(['7fc00000', 'ffc00000', '7f800001', '7f800000', 'ff800000'])('float %s', (hex) => {
    expect(decodeRaw(register({ type: 'f32' }), bytes(hex))).toEqual({ kind: 'not-available' });
  });

  it('a stated pattern is not available, its neighbour is a value', () => {
    const abb = register({ type: 'u64', notAvailable: [0xffff_ffff_ffff_ffffn] });
    expect(decodeRaw(abb, bytes('ffffffffffffffff')).kind).toBe('not-available');
    expect(decodeRaw(abb, bytes('fffffffffffffffe')).kind).toBe('number');
    // The pattern is that of the value, whatever the order on the line.
    const little = register({ type: 'i32', words: 'little', notAvailable: [0x7fff_ffffn] });
    expect(decodeRaw(little, bytes('ffff7fff')).kind).toBe('not-available');
    expect(decodeRaw(little, bytes('7fffffff')).kind).toBe('number');
  });

  it('bytes that are too few or too many are an error of the caller', () => {
    expect(() => decodeRaw(register({ type: 'u32' }), bytes('0000'))).toThrow(RangeError);
    expect(() => decodeRaw(register({ type: 'u16' }), bytes('00000000'))).toThrow(RangeError);
  });
});

describe('text', () => {
  const read = (hex: string) => decodeRaw(register({ type: 'text', key: 'model' }), bytes(hex));
  it('ends at the first NUL and loses the blanks around it', () => {
    expect(read('4232332000000000')).toEqual({ kind: 'text', value: 'B23' });
    expect(read('2053 4432 3130 3031')).toEqual({ kind: 'text', value: 'SD21001' });
  });
  it('that nobody can read is not available', () => {
    expect(read('0000000000000000').kind).toBe('not-available');
    expect(read('2020202020202020').kind).toBe('not-available');
    expect(read('41ff424344454647').kind).toBe('not-available');
    expect(read('411b424344454647').kind).toBe('not-available');
  });
});

describe('scale factors', () => {
  const factor = register({ type: 'sunssf', key: 'sf:1', notAvailable: [0x8000n] });
  it.each([
    ['0000', 0],
    ['000a', 10],
    ['fff6', -10],
    ['fffe', -2],
  ])('%s', (hex, exponent) => {
    expect(exponentOf(factor, bytes(hex))).toBe(exponent);
  });
  it.each(['8000', '000b', 'fff5', '7fff'])('%s is none', (hex) => {
    expect(exponentOf(factor, bytes(hex))).toBeNull();
  });
});

describe('fractions', () => {
  it('are what a decimal says', () => {
    expect(parseDecimal('0.001')).toEqual({ num: 1n, den: 1_000n });
    expect(parseDecimal('-12.5')).toEqual({ num: -125n, den: 10n });
    for (const bad of ['', '1e3', '.5', '1.', '0x1', ' 1', '1,5', '1234567890123']) {
      expect(() => parseDecimal(bad)).toThrow(RangeError);
    }
  });

  it('round halves away from zero, once', () => {
    const rounded = ['0.5', '0.4999', '-0.5', '-0.4999', '2.5', '-2.5'].map((text) => round(parseDecimal(text)));
    expect(rounded).toEqual([1n, 0n, -1n, 0n, 3n, -3n]);
    expect([floor(parseDecimal('-0.5')), ceil(parseDecimal('-0.5')), floor(parseDecimal('1.9'))]).toEqual([
      -1n,
      0n,
      1n,
    ]);
  });

  it('hold every float exactly', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        const { num, den } = fromFloat(value);
        // Powers of two divide exactly, so the quotient shows the fraction without a rounding of its own.
        const bits = den.toString(2).length - 1;
        const high = 2 ** -Math.min(bits, 1_000);
        expect(Number(num) * high * 2 ** -(bits - Math.min(bits, 1_000))).toBe(value === 0 ? 0 : value);
      }),
    );
    expect(() => fromFloat(Number.NaN)).toThrow(RangeError);
    expect(() => fromFloat(Number.POSITIVE_INFINITY)).toThrow(RangeError);
  });
});
