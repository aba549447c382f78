import { CrashDisk } from '@gridtokenx/testing-kit/crash-disk';
import { describe, expect, test } from 'vitest';
import { FloorTime } from '../src/adapters/clock/floor.js';

describe('the floor', () => {
  test('is the later of build and stored time, rises by a known time once an hour, and survives damage', async () => {
    const disk = new CrashDisk();
    const open = (builtAtMs: number) => FloorTime.open(disk, '/floor.json', builtAtMs);
    const floor = await open(5_000_000);
    expect(floor.ms).toBe(5_000_000);
    await floor.raise(9_000_000);
    expect([floor.ms, (await open(5_000_000)).ms, (await open(9_500_000)).ms]).toEqual([
      9_000_000, 9_000_000, 9_500_000,
    ]);
    await floor.raise(9_000_000 + 3_599_999);
    expect((await open(0)).ms).toBe(9_000_000);
    await floor.raise(9_000_000 + 3_600_000);
    expect((await open(0)).ms).toBe(12_600_000);
    // An unknown time raises nothing, and only an oracle's answer corrects a wrong stored time.
    await floor.raise(null);
    await floor.raise(6_000_000);
    expect((await open(0)).ms).toBe(12_600_000);
    await floor.lower(12_600_000);
    expect((await open(0)).ms).toBe(12_600_000);
    await floor.lower(6_000_000);
    expect((await open(0)).ms).toBe(6_000_000);
    for (const damage of ['', '{', '{"version":1,"time_ms":"x"}', '{"version":2,"time_ms":9}']) {
      await disk.replace('/floor.json', Buffer.from(damage));
      expect((await open(7)).ms).toBe(7);
    }
  });
});
