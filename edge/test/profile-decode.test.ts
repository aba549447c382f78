import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fromFloat, powerOfTen } from '../src/profiles/rational.js';
import { decodeRaw, type Register, type RegisterType } from '../src/profiles/register.js';
import { type Block, billingFault, decodeSample, FLOAT32_EXACT_WH, MAX_WH } from '../src/profiles/sample.js';
import { limitsOf, registerAt, sentBytes } from './support/registers.js';

const bytes = (hex: string) => new Uint8Array(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
const block = (address: number, hex: string, code: 3 | 4 = 3): Block => ({ function: code, address, data: bytes(hex) });
const mapOf = (...registers: Register[]) => ({ registers, limits: limitsOf() });
const KWH = powerOfTen(3);
const INTEGERS = ['u16', 'i16', 'u32', 'i32', 'u64', 'i64', 'acc32', 'acc64'] as const;

describe('decodeRaw', () => {
  test.each<[RegisterType, 'big' | 'little', 'big' | 'little', string, bigint]>([
    ['u16', 'big', 'big', 'fffe', 65_534n],
    ['u16', 'big', 'little', 'feff', 65_534n],
    ['i16', 'big', 'big', 'fffe', -2n],
    ['i16', 'big', 'big', '8000', -32_768n],
    ['u32', 'big', 'big', '00010002', 65_538n],
    ['u32', 'little', 'big', '00020001', 65_538n],
    ['u32', 'big', 'little', '01000200', 65_538n],
    ['u32', 'little', 'little', '02000100', 65_538n],
    ['u32', 'big', 'big', 'fffffffe', 4_294_967_294n],
    ['i32', 'little', 'big', 'fffeffff', -2n],
    ['i32', 'big', 'big', '80000000', -2_147_483_648n],
    ['u64', 'big', 'big', '0001000200030004', 0x1000200030004n],
    ['u64', 'little', 'big', '0004000300020001', 0x1000200030004n],
    ['u64', 'big', 'big', 'fffffffffffffffe', 2n ** 64n - 2n],
    ['i64', 'big', 'big', '8000000000000000', -(2n ** 63n)],
    ['acc32', 'big', 'big', '00000000', 0n],
    ['acc64', 'big', 'big', '0000000100000000', 2n ** 32n],
    ['sunssf', 'big', 'big', 'fffd', -3n],
  ])('%s, words %s, bytes %s: %s is %d', (type, words, order, hex, raw) => {
    const value = decodeRaw(registerAt('power', 0, { type, words, bytes: order }), bytes(hex));
    expect(value).toMatchObject({ kind: 'number', raw });
  });

  test('every integer in every order comes back', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...INTEGERS),
        fc.constantFrom('big', 'little' as const),
        fc.constantFrom('big', 'little' as const),
        fc.bigInt(-(2n ** 63n), 2n ** 64n - 1n),
        (type, words, order, any) => {
          const register = registerAt('power', 0, { type, words, bytes: order });
          const bits = 16 * register.length;
          const raw = type.startsWith('i') ? BigInt.asIntN(bits, any) : BigInt.asUintN(bits, any);
          const isNoValue = !type.startsWith('i') && raw === (1n << BigInt(bits)) - 1n;
          const expected = isNoValue ? { kind: 'not-available' } : { raw };
          expect(decodeRaw(register, sentBytes(raw, register.length, words, order))).toMatchObject(expected);
        },
      ),
    );
  });

  test.each<[RegisterType, string]>([
    ['u16', 'ffff'],
    ['u32', 'ffffffff'],
    ['u64', 'ffffffffffffffff'],
    ['acc32', 'ffffffff'],
    ['i32', 'ffffffff'],
    ['i32', '7fffffff'],
    ['i32', '80000000'],
    ['i64', '7fffffffffffffff'],
    ['f32', 'ffffffff'],
    ['f32', '7fc00000'],
    ['f32', '7f800000'],
    ['f64', 'fff0000000000000'],
  ])('energy in %s that reads %s is no value', (type, hex) => {
    const register = registerAt('import', 0, { type });
    expect(decodeRaw(register, Buffer.from(hex, 'hex'))).toEqual({ kind: 'not-available' });
  });

  test('power of -1 W in a signed register is a value, although it is all ones', () => {
    const register = registerAt('power', 0, { type: 'i16' });
    expect(decodeRaw(register, Buffer.from('ffff', 'hex'))).toMatchObject({ raw: -1n });
  });

  test.each<[RegisterType, string, number]>([
    ['f32', '43666666', 230.399_993_896_484_38],
    ['f32', 'c2c80000', -100],
    ['f32', '00000001', 2 ** -149],
    ['f32', '7f7fffff', 3.402_823_466_385_288_6e38],
    ['f32', '80000000', -0],
    ['f64', '408f400000000000', 1_000],
    ['f64', 'c059000000000000', -100],
  ])('%s: %s is %d', (type, hex, value) => {
    const decoded = decodeRaw(registerAt('import', 0, { type }), bytes(hex));
    expect(decoded).toMatchObject({ kind: 'number', raw: null, value: fromFloat(value) });
  });

  test.each<[RegisterType, string, string]>([
    ['f32', '7fc00000', 'NaN'],
    ['f32', 'ffffffff', 'another NaN'],
    ['f32', '7f800000', 'infinite'],
    ['f32', 'ff800000', 'infinite and negative'],
    ['f64', '7ff8000000000000', 'NaN'],
    ['f64', 'fff0000000000000', 'infinite and negative'],
    ['text', '0000', 'an empty text'],
    ['text', '2020', 'blanks'],
    ['text', '41ff', 'no ASCII'],
  ])('%s %s (%s) is not available', (type, hex) => {
    expect(decodeRaw(registerAt('serial', 0, { type }), bytes(hex))).toEqual({ kind: 'not-available' });
  });

  test('a stated pattern is not available, its neighbour is', () => {
    const register = registerAt('export', 0, { type: 'u64', notAvailable: [2n ** 64n - 1n] });
    expect(decodeRaw(register, bytes('ffffffffffffffff')).kind).toBe('not-available');
    expect(decodeRaw(register, bytes('fffffffffffffffe')).kind).toBe('number');
  });

  test('a text ends at the first NUL, without blanks around it', () => {
    const register = registerAt('serial', 0, { type: 'text', length: 4 });
    expect(decodeRaw(register, bytes('20414231 32200058'))).toEqual({ kind: 'text', value: 'AB12' });
  });

  test.each(['', '00', '0001', '000100020003'])('the wrong number of bytes is an error: "%s"', (hex) => {
    expect(() => decodeRaw(registerAt('import', 0, { type: 'u32' }), bytes(hex))).toThrow(RangeError);
  });
});

describe('decodeSample', () => {
  const map = mapOf(
    registerAt('import', 10, { type: 'u32', scale: powerOfTen(1), rollover: 1_000n }),
    registerAt('export', 12, { type: 'u32', scale: powerOfTen(1), notAvailable: [0xffff_ffffn] }),
    registerAt('power', 20, { type: 'i16' }),
    registerAt('voltage', 21, { scale: powerOfTen(-2) }),
    registerAt('frequency', 22, { scale: powerOfTen(-1) }),
  );
  const rest = block(20, 'ff9c 59d8 01f4');

  test('energy in Wh, power in W, voltage in 0.1 V, frequency in 0.01 Hz', () => {
    const sample = decodeSample(map, [block(10, '000003e7 00000007'), rest]);
    expect(sample).toMatchObject({
      importWh: 9_990n,
      exportWh: 70n,
      totalWh: null,
      powerW: -100,
      voltageDv: 2_300,
      frequencyChz: 5_000,
      serial: null,
      resolutionWh: 10n,
      faults: [],
    });
    expect(billingFault(sample)).toBeNull();
  });

  test('values are found in longer and in shifted blocks', () => {
    expect(decodeSample(map, [block(8, 'dead beef 00000001 00000002 dead'), rest])).toMatchObject({
      importWh: 10n,
      exportWh: 20n,
    });
  });

  test('a block of the other function, or of half a value, is not it', () => {
    const other = decodeSample(map, [block(10, '00000001 00000002', 4), rest]);
    expect(other.faults.map(({ key, what }) => [key, what])).toEqual([
      ['import', 'not-read'],
      ['export', 'not-read'],
    ]);
    const half = decodeSample(map, [block(10, '00000001 0000'), block(13, '0002'), rest]);
    expect(half).toMatchObject({ importWh: 10n, exportWh: null });
    expect(billingFault(half)).toContain('export');
  });

  test.each([
    ['its own word for it', '00000001 ffffffff', 'not-available', 'export'],
    ['at the roll-over', '000003e8 00000001', 'out-of-range', 'import'],
    ['beyond any meter', '00000001 fffffffe', 'out-of-range', 'export'],
  ])('energy that is %s is a fault of billing and no number', (_name, hex, what, key) => {
    const sample = decodeSample(map, [block(10, hex), rest]);
    expect(sample[`${key as 'import' | 'export'}Wh`]).toBeNull();
    expect(sample.faults).toMatchObject([{ key, billing: true, what }]);
    expect(billingFault(sample)).toContain(key);
  });

  test('a fault beside the energy leaves the energy good', () => {
    const sample = decodeSample(map, [block(10, '00000001 00000002')]);
    expect(sample).toMatchObject({ importWh: 10n, exportWh: 20n, powerW: null, voltageDv: null, frequencyChz: null });
    expect(sample.faults.map((fault) => fault.billing)).toEqual([false, false, false]);
    expect(billingFault(sample)).toBeNull();
  });

  test('a block of half a register is a mistake of the caller', () => {
    expect(() => decodeSample(map, [block(10, '00')])).toThrow(RangeError);
  });

  test.each([
    ['bf800000', 'out-of-range'],
    ['7fc00000', 'not-available'],
    ['7f800000', 'not-available'],
    ['4b800001', 'out-of-range'],
  ])('energy in a float of %s is %s', (hex, what) => {
    const float = mapOf(registerAt('import', 0, { type: 'f32', scale: KWH }));
    expect(decodeSample(float, [block(0, hex)])).toMatchObject({ importWh: null, faults: [{ what }] });
  });

  test('a float of 2^24 kWh is the most', () => {
    const float = mapOf(registerAt('import', 0, { type: 'f32', scale: KWH }));
    expect(decodeSample(float, [block(0, '4b800000')]).importWh).toBe(MAX_WH);
  });

  test('float kWh below 16,384 give back every Wh', () => {
    const float = mapOf(registerAt('import', 0, { type: 'f32', scale: KWH }));
    fc.assert(
      fc.property(fc.integer({ min: 0, max: Number(FLOAT32_EXACT_WH) - 1 }), (wh) => {
        const data = new Uint8Array(4);
        new DataView(data.buffer).setFloat32(0, wh / 1_000);
        expect(decodeSample(float, [{ function: 3, address: 0, data }]).importWh).toBe(BigInt(wh));
      }),
      { numRuns: 1_000 },
    );
  });

  test('integers with a scale never pass a float', () => {
    const large = mapOf(registerAt('import', 0, { type: 'u64', scale: powerOfTen(-9) }));
    const raw = 12_345_678_901_499_999_999n;
    const sample = decodeSample(large, [{ function: 3, address: 0, data: sentBytes(raw, 4, 'big', 'big') }]);
    // 12,345,678,901.499999999: a double would make .5 of it, and round up.
    expect(sample.importWh).toBe(12_345_678_901n);
  });

  test('power of a meter that counts outwards, and of one with a register for each direction', () => {
    const outwards = mapOf(registerAt('import', 0), registerAt('power', 1, { type: 'i16', positive: 'export' }));
    expect(decodeSample(outwards, [block(0, '0000 0064')]).powerW).toBe(-100);
    const both = mapOf(registerAt('import', 0), registerAt('power', 1), registerAt('power_export', 2));
    expect(decodeSample(both, [block(0, '0000 0064 00c8')]).powerW).toBe(-100);
    expect(decodeSample(both, [block(0, '0000 0064')]).powerW).toBeNull();
  });

  test('voltage beyond the wire is left out', () => {
    const map64 = mapOf(registerAt('import', 0), registerAt('voltage', 1, { type: 'u32' }));
    expect(decodeSample(map64, [block(0, '0000 00001999')]).voltageDv).toBe(65_530);
    expect(decodeSample(map64, [block(0, '0000 0000199a')]).voltageDv).toBeNull();
  });

  describe('scale factors', () => {
    const sunspec = mapOf(
      registerAt('import', 0, { type: 'acc32', scaleFactor: 'sf:2' }),
      registerAt('power', 4, { type: 'i16', scaleFactor: 'sf:5' }),
      registerAt('sf:2', 2, { type: 'sunssf', notAvailable: [0x8000n] }),
      registerAt('sf:5', 5, { type: 'sunssf', notAvailable: [0x8000n] }),
    );
    test.each([
      ['0002', 100_000n],
      ['0000', 1_000n],
      ['fffd', 1n],
      ['fff6', 0n],
    ])('%s', (factor, wh) => {
      expect(decodeSample(sunspec, [block(0, `000003e8 ${factor}`)]).importWh).toBe(wh);
    });
    test.each([
      ['8000', 'not-available'],
      ['000b', 'not-available'],
      ['fff5', 'not-available'],
    ])('%s makes the energy %s', (factor, what) => {
      const sample = decodeSample(sunspec, [block(0, `000003e8 ${factor}`)]);
      expect(sample.faults[0]).toMatchObject({ key: 'import', what });
    });
    test('of energy must come in the same block, of power need not', () => {
      const apart = decodeSample(sunspec, [block(0, '000003e8'), block(2, '0000'), block(4, '0007'), block(5, '0001')]);
      expect(apart).toMatchObject({ importWh: null, powerW: 70 });
    });
  });
});
