import { describe, expect, it } from 'vitest';
import {
  addWindows,
  asBaseUnits,
  asMeterId,
  asPublicKeyText,
  asWh,
  asWindow,
  asWindowOrNone,
  base58Decode,
  base58Encode,
  baseUnitsOf,
  earliestWindow,
  fromHex,
  latestWindow,
  MAX_U32,
  MAX_U64,
  NO_WINDOW,
  publicKeyFromBase58,
  toHex,
  windowBefore,
} from '../src/index.js';

describe('quantities', () => {
  it.each([0n, 1n, MAX_U64])('takes %d watt-hours and base units', (value) => {
    expect([asWh(value), asBaseUnits(value)]).toEqual([value, value]);
  });
  it.each([-1n, MAX_U64 + 1n])('refuses %d watt-hours and base units', (value) => {
    expect(() => asWh(value)).toThrow('watt-hours are not in u64');
    expect(() => asBaseUnits(value)).toThrow('base units are not in u64');
  });
  it('counts a thousand base units for a watt-hour, and refuses more than fit', () => {
    expect(baseUnitsOf(asWh(412n))).toBe(412_000n);
    expect(() => baseUnitsOf(asWh(MAX_U64))).toThrow('not in u64');
  });
  it('takes windows of u32 only', () => {
    expect([asWindow(0), asWindow(MAX_U32)]).toEqual([0, MAX_U32]);
    for (const value of [-1, 0.5, MAX_U32 + 1, Number.NaN]) expect(() => asWindow(value)).toThrow('not in u32');
  });
  it('counts windows on and back, and refuses what leaves u32', () => {
    expect([addWindows(asWindow(7), 2), addWindows(asWindow(7), -7)]).toEqual([9, 0]);
    expect(() => addWindows(asWindow(7), -8)).toThrow('not in u32');
    expect(() => addWindows(asWindow(MAX_U32), 1)).toThrow('not in u32');
  });
  it('finds a window that lies before another, or that there is none', () => {
    const window = asWindow(2);
    expect([1, 2, 3].map((count) => windowBefore(window, count))).toEqual([1, 0, NO_WINDOW]);
    expect([asWindowOrNone(NO_WINDOW), asWindowOrNone(0)]).toEqual([-1, 0]);
    expect(() => asWindowOrNone(-2)).toThrow('not in u32');
  });
  it('finds the latest and the earliest of windows', () => {
    const [a, b, c] = [asWindow(2), asWindow(9), asWindow(4)];
    expect([latestWindow(a, b, c), earliestWindow(b, c, a), latestWindow(a), earliestWindow(b)]).toEqual([9, 2, 2, 9]);
  });
});

describe('names', () => {
  const id = '00112233445566778899aabbccddeeff';
  it('takes a meter id as text or as bytes', () => {
    expect(asMeterId(id)).toBe(id);
    expect(asMeterId(Uint8Array.from(Buffer.from(id, 'hex')))).toBe(id);
    for (const bad of ['', id.toUpperCase(), `${id}0`, 'x'.repeat(32), new Uint8Array(15)]) {
      expect(() => asMeterId(bad)).toThrow('32 digits');
    }
  });
  it('takes a public key as text or as bytes, in one spelling', () => {
    const key = new Uint8Array(32).fill(7);
    const text = base58Encode(key);
    expect([asPublicKeyText(key), asPublicKeyText(text)]).toEqual([text, text]);
    for (const bad of ['', '0', text.slice(1), ` ${text}`, new Uint8Array(31)]) {
      expect(() => asPublicKeyText(bad)).toThrow('public key');
    }
  });
});

describe('bytes as text', () => {
  it('hexadecimal is read in either case, and nothing else is', () => {
    expect([fromHex('00fFA9'), fromHex('')].map(toHex)).toEqual(['00ffa9', '']);
    for (const text of ['0', '0g', ' 00', '00 ', '0x00', '00\n']) {
      expect(() => fromHex(text)).toThrow(new RangeError(`not hexadecimal: "${text}"`));
    }
  });

  it('base58 is read or refused with the text, cut at 64 characters, and the cause', () => {
    expect(base58Decode(base58Encode(fromHex('0000ff')))).toEqual(fromHex('0000ff'));
    const caught = (text: string) => {
      try {
        return base58Decode(text);
      } catch (error) {
        return error;
      }
    };
    const error = caught(`0${'l'.repeat(99)}`);
    expect(error).toBeInstanceOf(RangeError);
    expect(error).toMatchObject({ message: `not base58: "0${'l'.repeat(63)}"`, cause: expect.any(Error) });
  });

  it('a public key has 32 bytes in 32 to 44 characters', () => {
    const keys = [new Uint8Array(32), new Uint8Array(32).fill(255)];
    expect(keys.map(base58Encode).map(({ length }) => length)).toEqual([32, 44]);
    expect(keys.map((key) => publicKeyFromBase58(base58Encode(key)))).toEqual(keys);
    for (const text of ['', '1'.repeat(31), '1'.repeat(45), '1'.repeat(99)]) {
      expect(() => publicKeyFromBase58(text)).toThrow(
        new RangeError(`not a base58 public key: "${text.slice(0, 64)}"`),
      );
    }
    for (const [text, bytes] of [
      ['1'.repeat(33), 33],
      ['z'.repeat(32), 24],
      ['z'.repeat(44), 33],
    ] as const) {
      expect(() => publicKeyFromBase58(text)).toThrow(`"${text}" has ${bytes} bytes, expected 32`);
    }
    expect(() => publicKeyFromBase58('0'.repeat(32))).toThrow('not base58: "000');
  });
});
