import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { powerOfTen } from '../src/profiles/rational.js';
import type { Register } from '../src/profiles/register.js';
import { decodeSample, FLOAT32_EXACT_WH, resolutionWh, rolloverWh, unwrap } from '../src/profiles/sample.js';
import { limitsOf, registerAt, sentBytes } from './support/registers.js';

const mapOf = (...registers: Register[]) => ({ registers, limits: limitsOf() });
const KWH = powerOfTen(3);

describe('resolutionWh', () => {
  const f32 = registerAt('import', 0, { type: 'f32', scale: KWH });
  test.each<[bigint, bigint]>([
    [0n, 1n],
    [FLOAT32_EXACT_WH - 1n, 1n],
    [FLOAT32_EXACT_WH, 2n],
    [32_768_000n, 4n],
    [1_000_000_000n, 63n],
  ])('float kWh at %d Wh: %d', (at, step) => {
    expect(resolutionWh(f32, at)).toBe(step);
  });
  test('is what the encoding really does', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 24 }), (kwh) => {
        const below = Math.fround(kwh);
        const view = new DataView(new ArrayBuffer(4));
        view.setFloat32(0, below);
        view.setUint32(0, view.getUint32(0) + 1);
        const step = Math.ceil((view.getFloat32(0) - below) * 1_000);
        expect(resolutionWh(f32, BigInt(below) * 1_000n)).toBe(BigInt(Math.max(1, step)));
      }),
    );
  });
  test('integers: the scale, never below 1, or the step that the meter states', () => {
    expect(resolutionWh(registerAt('import', 0, { scale: powerOfTen(2) }), 5n)).toBe(100n);
    expect(resolutionWh(registerAt('import', 0, { scale: powerOfTen(-3) }), 5n)).toBe(1n);
    expect(resolutionWh(registerAt('import', 0, { stepWh: 500n }), 5n)).toBe(500n);
    expect(resolutionWh(registerAt('import', 0), 5n, 3)).toBe(1_000n);
  });
});

describe('unwrap', () => {
  test.each<[string, bigint, bigint, bigint | null]>([
    ['goes on', 900n, 950n, 950n],
    ['stands still', 900n, 900n, 900n],
    ['rolls over', 990n, 5n, 1_005n],
    ['goes on after a roll-over', 1_005n, 10n, 1_010n],
    ['rolls over again', 1_990n, 5n, 2_005n],
    ['falls', 900n, 800n, null],
    ['jumps too far', 900n, 999n, 999n],
    ['jumps further', 100n, 900n, null],
  ])('%s: %d, then %d', (_name, previous, read, expected) => {
    expect(unwrap(previous, read, 1_000n, 100n)).toBe(expected);
  });

  test('follows any counter whose steps are small enough', () => {
    fc.assert(
      fc.property(fc.array(fc.bigInt(0n, 400n), { maxLength: 50 }), (steps) => {
        let truth = 0n;
        let shown = 0n;
        for (const step of steps) {
          truth += step;
          const next = unwrap(shown, truth % 1_000n, 1_000n, 400n);
          expect(next).toBe(truth);
          shown = next ?? -1n;
        }
      }),
    );
  });

  test.each([
    [0n, 0n, 1n, 0n],
    [0n, -1n, 1_000n, 10n],
    [0n, 1_002n, 1_000n, 10n],
    [-1n, 0n, 1_000n, 10n],
    [0n, 0n, 1_000n, 1_000n],
  ])('refuses %d, %d, %d, %d', (previous, read, rollover, most) => {
    expect(() => unwrap(previous, read, rollover, most)).toThrow(RangeError);
  });

  test('follows a counter in tenths of a Wh over its end', () => {
    const register = registerAt('import', 0, { type: 'acc32', scale: powerOfTen(-1), rollover: 2n ** 32n });
    const rollover = rolloverWh(register) ?? 0n;
    let shown: bigint | null = rollover - 10n;
    for (const raw of [2n ** 32n - 60n, 2n ** 32n - 2n, 0n, 4n, 60n]) {
      const data = sentBytes(raw, 2, 'big', 'big');
      const { importWh } = decodeSample(mapOf(register), [{ function: 3, address: 0, data }]);
      shown = unwrap(shown ?? -1n, importWh ?? -1n, rollover, 100n);
    }
    expect(shown).toBe(rollover + 6n);
  });

  test('the roll-over in Wh is the raw one times its scale; null where none is known', () => {
    expect(rolloverWh(registerAt('import', 0, { rollover: 1_000n, scale: powerOfTen(1) }))).toBe(10_000n);
    expect(rolloverWh(registerAt('import', 0, { rollover: 2n ** 32n }), -1)).toBe(429_496_729n);
    expect(rolloverWh(registerAt('import', 0))).toBeNull();
  });
});
