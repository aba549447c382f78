import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RegisterMap } from '../../src/profiles/profile.js';
import { parseDecimal } from '../../src/profiles/rational.js';
import type { Register } from '../../src/profiles/register.js';
import {
  type Block,
  billingFault,
  decodeSample,
  FLOAT32_EXACT_WH,
  MOST_WH,
  resolutionWh,
  rolloverWh,
  unwrap,
} from '../../src/profiles/sample.js';
import { bytes, LIMITS, register } from './support.js';

const map = (...registers: Register[]): RegisterMap => ({ registers, limits: LIMITS });
const block = (hex: string, address = 0, code: 3 | 4 = 4): Block => ({ function: code, address, data: bytes(hex) });
const KWH = parseDecimal('1000');
const f32 = (value: number) => {
  const data = Buffer.alloc(4);
  data.writeFloatBE(value);
  return data.toString('hex');
};

describe('energy', () => {
  it('of an integer register is exact, whatever its scale', () => {
    const tenths = map(register({ type: 'u32', scale: parseDecimal('100') }));
    expect(decodeSample(tenths, [block('0000303a')]).importWh).toBe(1_234_600n);
    // 0.001 kWh: three tenths of a float would not do.
    const wh = map(register({ type: 'u64', scale: parseDecimal('1') }));
    expect(decodeSample(wh, [block('0000000000000003')])).toMatchObject({ importWh: 3n, resolutionWh: 1n });
    fc.assert(
      fc.property(fc.bigInt(0n, 0xffff_ffffn), (raw) => {
        const hex = raw.toString(16).padStart(8, '0');
        const ten = map(register({ type: 'u32', scale: parseDecimal('10') }));
        const sample = decodeSample(ten, [block(hex)]);
        expect(sample.importWh).toBe(raw * 10n > MOST_WH ? null : raw * 10n);
      }),
    );
  });

  it('of a float is rounded once to the nearest Wh', () => {
    const kwh = map(register({ type: 'f32', scale: KWH }));
    const read = (value: number) => decodeSample(kwh, [block(f32(value))]).importWh;
    expect([read(0), read(1.001), read(12_345.678), read(0.000_49), read(0.000_51)]).toEqual([
      0n,
      1_001n,
      12_345_678n,
      0n,
      1n,
    ]);
    // Every Wh below the stated limit is told from its neighbour; at the limit it is not any more.
    for (const wh of [1n, 999_999n, FLOAT32_EXACT_WH - 1n]) expect(read(Number(wh) / 1_000)).toBe(wh);
    expect(read((Number(FLOAT32_EXACT_WH) + 1) / 1_000)).not.toBe(FLOAT32_EXACT_WH + 1n);
  });

  it.each([
    ['a negative integer', register({ type: 'i32' }), 'ffffffff', /never falls below 0/],
    ['a negative float', register({ type: 'f32', scale: KWH }), f32(-0.001), /never falls below 0/],
    ['more than any meter counts', register({ type: 'f32', scale: KWH }), f32(16_777_218), /no meter reading/],
    ['a number at its own roll-over', register({ type: 'u32', rollover: 1_000n }), '000003e8', /rolls over at 1000/],
    ['what is not available', register({ type: 'u32', notAvailable: [0xffff_ffffn] }), 'ffffffff', /not available/],
    ['not a number', register({ type: 'f32' }), '7fc00000', /not available/],
  ])('%s is a fault and no reading', (_, one, hex, text) => {
    const sample = decodeSample(map(one), [block(hex)]);
    expect(sample.importWh).toBeNull();
    expect(billingFault(sample)).toMatch(text);
  });

  it('is not there where no block holds it whole', () => {
    const one = map(register({ type: 'u32', address: 72 }));
    for (const blocks of [[], [block('0000', 72)], [block('00000001', 71)], [block('00000001', 72, 3)]]) {
      expect(decodeSample(one, blocks).faults).toMatchObject([{ key: 'import', what: 'not-read', billing: true }]);
    }
    expect(decodeSample(one, [block('0000 0000 0001 ffff', 71)]).importWh).toBe(1n);
    expect(() => decodeSample(one, [{ function: 4, address: 72, data: new Uint8Array(3) }])).toThrow(RangeError);
  });

  it('that the profile does not have is null without a fault', () => {
    const sample = decodeSample(map(register({ type: 'u16', key: 'total' })), [block('0007')]);
    expect(sample).toMatchObject({ importWh: null, exportWh: null, totalWh: 7n, faults: [] });
  });
});

describe('what is beside the energy', () => {
  const at = (key: Register['key'], address: number, part: Partial<Register> = {}) =>
    register({ key, type: 'i16', address, ...part });
  it('has its unit and its sign', () => {
    const one = map(
      at('power', 0),
      at('voltage', 1, { scale: parseDecimal('0.1') }),
      at('frequency', 2, { scale: parseDecimal('0.01') }),
    );
    const sample = decodeSample(one, [block('ff9c 08fc 1388')]);
    expect(sample).toMatchObject({ powerW: -100, voltageDv: 2_300, frequencyChz: 5_000 });
    const inverter = map(at('power', 0, { positive: 'export' }));
    expect(decodeSample(inverter, [block('0064')]).powerW).toBe(-100);
    expect(Object.is(decodeSample(inverter, [block('0000')]).powerW, 0)).toBe(true);
    const two = map(at('power', 0), at('power_export', 1));
    expect(decodeSample(two, [block('0064 0190')]).powerW).toBe(-300);
    expect(decodeSample(two, [block('0064')]).powerW).toBeNull();
  });

  it('is left out where it cannot be, and says so without harm to the energy', () => {
    const one = map(register({ type: 'u16' }), at('voltage', 1));
    const sample = decodeSample(one, [block('0001 ffff')]);
    expect(sample).toMatchObject({ importWh: 1n, voltageDv: null });
    expect(sample.faults).toMatchObject([{ key: 'voltage', what: 'out-of-range', billing: false }]);
    expect(billingFault(sample)).toBeNull();
  });

  it('names the meter', () => {
    const one = map(
      register({ key: 'serial', type: 'u32', function: 3, address: 10 }),
      register({ key: 'model', type: 'text', length: 2 }),
    );
    expect(decodeSample(one, [block('00bc614e', 10, 3), block('42323320')])).toMatchObject({
      serial: '12345678',
      model: 'B23',
    });
  });
});

describe('a scale factor', () => {
  const value = register({ type: 'acc32', address: 0, scaleFactor: 'sf:9' });
  const factor = register({ type: 'sunssf', key: 'sf:9', address: 9, notAvailable: [0x8000n] });
  const one = map(value, factor);
  const together = (raw: string, sf: string) => block(`${raw}${'0000'.repeat(7)}${sf}`);
  it('is read with its energy and multiplies it exactly', () => {
    expect(decodeSample(one, [together('00000007', '0002')])).toMatchObject({ importWh: 700n, resolutionWh: 100n });
    expect(decodeSample(one, [together('0000004b', 'ffff')])).toMatchObject({ importWh: 8n, resolutionWh: 1n });
  });
  it('of another instant is not used for energy', () => {
    const apart = decodeSample(one, [block('00000007'), block('0002', 9)]);
    expect(billingFault(apart)).toMatch(/scale factor of import was not read with it/);
    // For what is not billed it is enough to have it.
    const power = map({ ...value, key: 'power' }, factor);
    expect(decodeSample(power, [block('00000007'), block('0002', 9)]).powerW).toBe(700);
  });
  it('that is not implemented leaves no value', () => {
    expect(billingFault(decodeSample(one, [together('00000007', '8000')]))).toMatch(/not available/);
    expect(billingFault(decodeSample(one, [together('00000007', '000b')]))).toMatch(/not available/);
  });
});

describe('resolution', () => {
  const kwh = register({ type: 'f32', scale: KWH });
  it('of a float grows with its value', () => {
    expect(FLOAT32_EXACT_WH).toBe(16_384_000n);
    expect([0n, 1n, FLOAT32_EXACT_WH - 1n].map((wh) => resolutionWh(kwh, wh))).toEqual([1n, 1n, 1n]);
    expect([FLOAT32_EXACT_WH, 32_768_000n, 65_536_000n].map((wh) => resolutionWh(kwh, wh))).toEqual([2n, 4n, 8n]);
    expect(resolutionWh(register({ type: 'f64' }), MOST_WH)).toBe(1n);
    expect(resolutionWh(register({ type: 'f32' }), 33_554_432n)).toBe(4n);
  });
  it('of a float is the distance to the next one', () => {
    fc.assert(
      fc.property(fc.float({ min: 1, max: Math.fround(16_000_000), noNaN: true }), (value) => {
        const data = new DataView(new ArrayBuffer(4));
        data.setFloat32(0, value);
        data.setUint32(0, data.getUint32(0) + 1);
        const step = (data.getFloat32(0) - value) * 1_000;
        expect(resolutionWh(kwh, BigInt(Math.floor(value * 1_000)))).toBe(BigInt(Math.max(1, Math.ceil(step))));
      }),
    );
  });
  it('of an integer is its scale, or what the meter itself counts', () => {
    expect(resolutionWh(register({ type: 'i32', scale: parseDecimal('100') }), 5n)).toBe(100n);
    expect(resolutionWh(register({ type: 'u32', scale: parseDecimal('0.1') }), 5n)).toBe(1n);
    expect(resolutionWh(register({ type: 'u32', stepWh: 10n }), 5n)).toBe(10n);
    expect(resolutionWh(register({ type: 'acc32' }), 5n, 3)).toBe(1_000n);
  });
});

describe('roll-over', () => {
  it('goes on counting, and tells a fall from a turn', () => {
    expect(unwrap(99_990n, 5n, 100_000n, 1_000n)).toBe(100_005n);
    expect(unwrap(100_005n, 20n, 100_000n, 1_000n)).toBe(100_020n);
    expect(unwrap(500n, 500n, 100_000n, 1_000n)).toBe(500n);
    expect(unwrap(5_000n, 4_999n, 100_000n, 1_000n)).toBeNull();
    expect(unwrap(5_000n, 0n, 100_000n, 1_000n)).toBeNull();
    expect(() => unwrap(0n, 100_001n, 100_000n, 1n)).toThrow(RangeError);
    expect(() => unwrap(0n, 1n, 100_000n, 100_000n)).toThrow(RangeError);
  });
  it('adds up to what flowed, over any turns', () => {
    fc.assert(
      fc.property(fc.bigInt(2n, 10_000n), fc.array(fc.bigInt(0n, 9_999n)), (rollover, steps) => {
        let [true_, counted] = [0n, 0n];
        for (const step of steps.map((one) => one % rollover)) {
          true_ += step;
          const next = unwrap(counted, true_ % rollover, rollover, rollover - 1n);
          expect(next).toBe(true_);
          counted = next ?? -1n;
        }
      }),
    );
  });
  it('is where the profile says, in Wh', () => {
    expect(rolloverWh(register({ type: 'acc32', rollover: 1n << 32n }), -1)).toBe(429_496_729n);
    expect(rolloverWh(register({ type: 'u32', rollover: 1_000n, scale: KWH }))).toBe(1_000_000n);
    expect(rolloverWh(register({ type: 'u32' }))).toBeNull();
  });
});
