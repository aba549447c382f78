/** An exact fraction; `den` is positive. Scales are fractions, so that no integer register ever passes a float. */
export interface Rational {
  readonly num: bigint;
  readonly den: bigint;
}

export const ONE: Rational = { num: 1n, den: 1n };

/** A decimal in text: "0.001", "1000", "-1". At most 12 digits on either side of the point. */
export const DECIMAL = /^-?\d{1,12}(\.\d{1,12})?$/;

/** Parses a decimal as a fraction. Throws `RangeError` for any other text. */
export function parseDecimal(text: string): Rational {
  if (!DECIMAL.test(text)) throw new RangeError(`"${text}" is no decimal`);
  const [whole = '', part = ''] = text.split('.');
  return { num: BigInt(whole + part), den: 10n ** BigInt(part.length) };
}

/** Returns 10 to the power of `exponent`. */
export function powerOfTen(exponent: number): Rational {
  return exponent >= 0 ? { num: 10n ** BigInt(exponent), den: 1n } : { num: 1n, den: 10n ** BigInt(-exponent) };
}

export function times(a: Rational, b: Rational): Rational {
  return { num: a.num * b.num, den: a.den * b.den };
}

/** Converts a finite number exactly: every float is an integer times a power of two. */
export function fromFloat(value: number): Rational {
  if (!Number.isFinite(value)) throw new RangeError(`${value} is no finite number`);
  let scaled = value;
  let exponent = 0;
  // Exact: a multiplication of a double by two changes only its exponent (subnormals gain digits they had).
  while (!Number.isInteger(scaled)) {
    scaled *= 2;
    exponent++;
  }
  return { num: BigInt(scaled), den: 1n << BigInt(exponent) };
}

/** Rounds to the nearest integer, halves away from zero. Nothing else rounds. */
export function round({ num, den }: Rational): bigint {
  const half = (2n * (num < 0n ? -num : num) + den) / (2n * den);
  return num < 0n ? -half : half;
}

export function floor({ num, den }: Rational): bigint {
  const quotient = num / den;
  return num < 0n && quotient * den !== num ? quotient - 1n : quotient;
}

export function ceil({ num, den }: Rational): bigint {
  return -floor({ num: -num, den });
}

/** Returns -1, 0 or 1 as `a` is below, equal to or above `b`. */
export function compare(a: Rational, b: Rational): -1 | 0 | 1 {
  const [left, right] = [a.num * b.den, b.num * a.den];
  return left < right ? -1 : left > right ? 1 : 0;
}
