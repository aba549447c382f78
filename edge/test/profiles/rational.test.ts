import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ceil,
  compare,
  floor,
  fromFloat,
  parseDecimal,
  powerOfTen,
  round,
  times,
} from '../../src/profiles/rational.js';

describe('fractions', () => {
  it('compare and multiply exactly', () => {
    expect(times(parseDecimal('0.1'), powerOfTen(3))).toEqual({ num: 1_000n, den: 10n });
    expect(compare(times(parseDecimal('0.1'), powerOfTen(1)), powerOfTen(0))).toBe(0);
    expect([compare(parseDecimal('-0.3'), parseDecimal('0.2')), compare(parseDecimal('0.3'), powerOfTen(-1))]).toEqual([
      -1, 1,
    ]);
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
