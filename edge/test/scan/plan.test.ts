import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { loadProfiles } from '../../src/adapters/profiles/files.js';
import { defaultsOf } from '../../src/domain/scan/defaults.js';
import { type Default, INPUT, networkPlan, planCost, serialPlan } from '../../src/domain/scan/plan.js';
import { settingText, speedOf } from '../../src/domain/scan/settings.js';

const shipped = defaultsOf([...loadProfiles().values()]);
const charMsOf = (setting: Parameters<typeof speedOf>[0]) => speedOf(setting).charMs;

describe('the order of a scan', () => {
  test('begins with the settings that most new meters have, units 1 to 10', () => {
    const [first, second] = serialPlan(shipped);
    expect(settingText(first?.setting ?? { transport: 'tcp' })).toBe('9600 8N1');
    expect(first?.units).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(settingText(second?.setting ?? { transport: 'tcp' })).not.toBe('9600 8N1');
    // Every setting of a profile comes before any unit above 10.
    const stages = serialPlan(shipped);
    const above = stages.findIndex(({ units }) => units.some((unit) => unit > 10));
    const before = new Set(stages.slice(0, above).map(({ setting }) => settingText(setting)));
    for (const { setting } of shipped) expect(before).toContain(settingText(setting));
  });

  test('asks units 1 to 10 at every usual setting within 60 s, and every unit at every speed within 180 s', () => {
    const stages = serialPlan(shipped);
    const above = stages.findIndex(({ units }) => units.includes(247));
    expect(planCost(stages.slice(0, above), charMsOf).ms).toBeLessThan(60_000);
    const speeds = (to: number) =>
      new Set(
        stages
          .slice(0, to)
          .flatMap(({ setting, units }) =>
            units.includes(247) && setting.transport === 'serial' ? [setting.baud] : [],
          ),
      );
    const all = stages.findIndex((_, i) => speeds(i).size === 8);
    expect(all).toBeGreaterThan(0);
    expect(planCost(stages.slice(0, all), charMsOf).ms).toBeLessThan(180_000);
  });

  test('asks every unit at every speed and parity once with the usual question, whatever profiles say', () => {
    const setting = fc.record({
      transport: fc.constant('serial' as const),
      baud: fc.constantFrom(300, 1_200, 9_600, 19_200, 230_400),
      parity: fc.constantFrom('none' as const, 'even' as const, 'odd' as const),
      stopBits: fc.constantFrom(1 as const, 2 as const),
    });
    const one: fc.Arbitrary<Default> = fc.record({
      setting,
      unit: fc.integer({ min: 1, max: 247 }),
      assumed: fc.boolean(),
      question: fc.constant({ fn: 3 as const, address: 100, counts: [2] }),
    });
    fc.assert(
      fc.property(fc.array(one, { maxLength: 6 }), (defaults) => {
        const stages = serialPlan(defaults);
        const asked = new Set<string>();
        let total = 0;
        for (const { setting: at, units, question, waitMs } of stages) {
          expect(waitMs).toBeGreaterThanOrEqual(40);
          expect(units.every((unit) => unit >= 1 && unit <= 247)).toBe(true);
          total += units.length;
          for (const unit of units) asked.add(`${settingText(at)} ${unit} ${question.fn} ${question.address}`);
        }
        expect(asked.size).toBe(total);
        const settings = new Set(defaults.map(({ setting: at }) => settingText(at)));
        for (const baud of [1_200, 9_600, 115_200]) for (const letter of 'NEO') settings.add(`${baud} 8${letter}1`);
        const missing = [...settings].filter((at) => ![1, 10, 11, 247].every((unit) => asked.has(`${at} ${unit} 4 0`)));
        expect(missing).toEqual([]);
      }),
      { numRuns: 30 },
    );
  });

  test('on a network is units 1 to 10, then the others', () => {
    const stages = networkPlan('tcp');
    expect(stages[0]).toMatchObject({ units: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], question: INPUT });
    expect(new Set(stages.flatMap(({ units }) => units)).size).toBe(249);
    expect(stages.filter(({ isLastResort }) => isLastResort).flatMap(({ units }) => units)).toEqual([255, 0, 255, 0]);
    expect(new Set(networkPlan('rtu-over-tcp').flatMap(({ units }) => units)).size).toBe(247);
  });
});
