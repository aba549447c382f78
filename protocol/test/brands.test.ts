import { describe, expect, it } from 'vitest';
import {
  addWindows,
  asBaseUnits,
  asMeterId,
  asPublicKeyText,
  asWh,
  asWindow,
  asWindowOrNone,
  base58Encode,
  baseUnitsOf,
  earliestWindow,
  latestWindow,
  MAX_U32,
  MAX_U64,
  NO_WINDOW,
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
