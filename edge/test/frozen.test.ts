import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FrozenWatch } from '../src/domain/metering/frozen.js';

const shown = (minute: number, importWh: number, powerW: number | null, exportWh = 0) => ({
  timeMs: minute * 60_000,
  importWh: BigInt(importWh),
  exportWh: BigInt(exportWh),
  powerW,
});

describe('frozen registers', () => {
  test('are found once the power shown makes more than they can hide, and forgotten when they move', () => {
    const watch = new FrozenWatch(1);
    const found = Array.from({ length: 10 }, (_, minute) => watch.add(shown(minute, 1_000, 600)));
    // 600 W are 10 Wh a minute: 50 Wh after five of them.
    expect(found.map((is, minute) => (is ? minute : -1)).filter((minute) => minute >= 0)).toEqual([5]);
    expect(watch.problem).toContain('frozen');
    expect(watch.problem).toContain('1.000/0.000 kWh');
    expect(watch.add(shown(10, 1_001, 600))).toBe(false);
    expect(watch.problem).toBe(null);
    const again = Array.from({ length: 10 }, (_, minute) => watch.add(shown(11 + minute, 1_001, -600)));
    expect(again.filter(Boolean)).toHaveLength(1);
  });

  test('are not claimed where the register is coarse, power is not shown, or was seen before a long silence', () => {
    for (const [watch, readings] of [
      [new FrozenWatch(100), Array.from({ length: 100 }, (_, minute) => shown(minute, 5, 600))],
      [new FrozenWatch(1), Array.from({ length: 1_000 }, (_, minute) => shown(minute, 5, null))],
      [new FrozenWatch(1), Array.from({ length: 100 }, (_, i) => shown(i * 6, 5, 60_000))],
      [new FrozenWatch(1), Array.from({ length: 1_000 }, (_, minute) => shown(minute, 5, minute % 2 ? 600 : 0))],
    ] as const) {
      expect(readings.some((reading) => watch.add(reading))).toBe(false);
    }
  });

  test('a meter that counts what it shows is never found frozen', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(1, 10, 100),
        fc.array(fc.integer({ min: -20_000, max: 20_000 }), { minLength: 2 }),
        (step, powers) => {
          const watch = new FrozenWatch(step);
          let [imported, exported] = [0, 0];
          for (const [minute, power] of powers.entries()) {
            const floor = (wh: number) => Math.floor(wh / step) * step;
            expect(watch.add(shown(minute, floor(imported), power, floor(exported)))).toBe(false);
            // Until the next reading at least the lower of two powers flows, as a meter would count it.
            const next = powers[minute + 1] ?? power;
            if (Math.sign(next) !== Math.sign(power)) continue;
            const wh = Math.min(Math.abs(power), Math.abs(next)) / 60;
            if (power > 0) imported += wh;
            else exported += wh;
          }
        },
      ),
    );
  });
});
