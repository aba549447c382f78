import { describe, expect, test } from 'vitest';
import type { Bus } from '../../src/domain/bus/bus.js';
import { busProblems } from '../../src/domain/bus/messages.js';
import { BusStats } from '../../src/domain/bus/stats.js';
import { UnitHealth } from '../../src/domain/bus/unit.js';

describe('what status says of a bus', () => {
  const random = { bytes: () => new Uint8Array(8), fraction: () => 0 };
  const busWith = (health: UnitHealth) =>
    ({
      name: 'rs485',
      problem: null,
      stats: new BusStats(),
      secondMasterUntilMs: Number.NEGATIVE_INFINITY,
      units: new Map([[health.unit, health]]),
      quarantine: { longestLatenessMs: () => 0 },
    }) as unknown as Bus;
  const asked = (isException: boolean) => {
    const health = new UnitHealth(4, { initialMs: 500, minMs: 50, maxMs: 1_000 }, random);
    for (let i = 0; i < 40; i++) health.answered(20, isException && i % 4 === 0 ? 2 : null);
    return health;
  };
  test('names a meter that refuses', () => {
    expect(busProblems(busWith(asked(true)), 0)).toEqual([
      expect.stringMatching(/^rs485, unit 4: 25 % of its answers are exceptions: .*model and variant/),
    ]);
    expect(busProblems(busWith(asked(false)), 0)).toEqual([]);
  });
});
