import { meterIdOf, meterOf } from '@gridtokenx/testing-kit/signed-journal';
import { describe, expect, it } from 'vitest';
import { MeterMemory } from '../../src/domain/intake/meter-memory.js';

describe('what the registry has shown', () => {
  it('keeps the last record of a meter that the registry forgot, and says so until it is back', () => {
    const memory = new MeterMemory();
    memory.update([meterOf(1), meterOf(2)]);
    expect(memory.problem).toBe(null);
    memory.update([meterOf(2, { exportLimitW: 7 })]);
    expect(memory.problem).toBe(
      `the registry forgot 1 of 2 meters (${meterIdOf(1)}): is the chain an older or another one?`,
    );
    expect(memory.meters.get(meterIdOf(1))).toEqual(meterOf(1));
    expect(memory.meters.get(meterIdOf(2))?.exportLimitW).toBe(7);
    memory.update([]);
    expect(memory.forgotten.length).toBe(2);
    expect(memory.meters.size).toBe(2);
    memory.update([meterOf(1), meterOf(2), meterOf(3)]);
    expect(memory.problem).toBe(null);
  });

  it('remembers across a restart what the ledger has heard of, and names a few of many', () => {
    const memory = new MeterMemory(Array.from({ length: 5 }, (_, n) => meterIdOf(n + 1)));
    expect(memory.problem).toBe(null);
    memory.update([]);
    expect(memory.problem).toContain('forgot 5 of 5 meters');
    expect(memory.problem).toContain('and 2 more');
    expect(memory.meters.size).toBe(0);
  });
});
