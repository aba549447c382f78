import { quietLog } from '@gridtokenx/testing-kit/quiet-log';
import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { makeClient } from '../../src/adapters/modbus/library.js';
import { ProfileReader } from '../../src/adapters/modbus/reader.js';
import { Bus } from '../../src/domain/bus/bus.js';
import { RtuFraming } from '../../src/domain/bus/framing.js';
import { serialSpeed } from '../../src/domain/bus/line.js';
import { ReplyQuarantine, USUAL_RULES } from '../../src/domain/bus/reply-quarantine.js';
import { planFor, slowPollMessage } from '../../src/domain/metering/period.js';
import { leastPeriod } from '../../src/planner/period.js';
import { charTimeUs } from '../../src/planner/plan.js';
import { limitsOf, registerAt } from '../support/registers.js';

const demand = { lineMs: 300, longestMs: 80, timeoutMs: 200, quarantineMs: 2_400, lengths: 4 };
const plan = { pollMs: 2_000, leadMs: 5_000 };

describe('the shortest poll period', () => {
  it('holds all requests, a time-out and the longest request again', () => {
    expect(leastPeriod(demand)).toEqual({ ms: 580, because: 'line' });
  });

  it('is a quarantine for a meter that can be read in too few ways', () => {
    expect(leastPeriod({ ...demand, lengths: 3 })).toEqual({ ms: 800, because: 'lengths' });
    expect(leastPeriod({ ...demand, lengths: 2 })).toEqual({ ms: 2_400, because: 'lengths' });
    expect(leastPeriod({ ...demand, lengths: 1 })).toEqual({ ms: 2_680, because: 'lengths' });
  });

  it('never falls when more has to be waited for, or when fewer lengths are there', () => {
    const ms = fc.integer({ min: 0, max: 100_000 });
    const demands = fc.record({
      lineMs: ms,
      longestMs: ms,
      timeoutMs: ms,
      quarantineMs: ms,
      lengths: fc.integer({ min: 1, max: 8 }),
    });
    fc.assert(
      fc.property(
        demands,
        fc.constantFrom('lineMs', 'longestMs', 'timeoutMs', 'quarantineMs'),
        ms,
        (one, key, more) => {
          const least = leastPeriod(one).ms;
          expect(leastPeriod({ ...one, [key]: one[key as 'lineMs'] + more }).ms).toBeGreaterThanOrEqual(least);
          expect(leastPeriod({ ...one, lengths: Math.max(1, one.lengths - 1) }).ms).toBeGreaterThanOrEqual(least);
          expect(least).toBeGreaterThanOrEqual(one.lineMs + one.timeoutMs + one.longestMs);
        },
      ),
    );
  });
});

describe('a poll plan', () => {
  it('stays as configured where the line allows it', () => {
    expect(planFor(plan, null)).toBe(plan);
    expect(planFor(plan, { ms: 2_000, because: 'line' })).toBe(plan);
    expect(slowPollMessage(plan, { ms: 1_999, because: 'lengths' })).toBeNull();
  });

  it('is lengthened to whole seconds, and says so with what to do', () => {
    expect(planFor(plan, { ms: 2_001, because: 'line' })).toEqual({ pollMs: 3_000, leadMs: 5_000 });
    expect(slowPollMessage(plan, { ms: 2_001, because: 'line' })).toBe(
      'is polled every 3 s, not every 2 s: its line needs that time for all requests, one time-out and one repeated request. Set poll_seconds to 3, or use a faster line or fewer meters',
    );
    expect(slowPollMessage(plan, { ms: 2_001, because: 'lengths' })).toContain('too few request lengths');
  });
});

describe('meters on one line', () => {
  const setUp = (isShared: boolean) => {
    const time = new VirtualClock();
    const bus = new Bus({
      log: quietLog,
      quarantine: new ReplyQuarantine(USUAL_RULES),
      name: 'bus',
      open: () => Promise.reject(new Error('not opened here')),
      makeClient,
      clock: time,
      random: { bytes: (n) => new Uint8Array(n), fraction: () => 0 },
      speed: serialSpeed(2_400, 'none', 1),
      shapes: isShared,
      makeFraming: (quarantine) => new RtuFraming(quarantine),
      requestMs: 1_000,
      connectMs: 1_000,
      minTimeoutMs: 20,
    });
    const cost = {
      charTimeUs: charTimeUs(2_400, 'none', 1),
      turnaroundUs: 50_000,
      pauseUs: 0,
      transport: 'rtu',
    } as const;
    const limits = (more: object) => ({ ...limitsOf({ readable: [{ function: 3, first: 0, last: 40 }] }), ...more });
    const reader = (unit: number, more = {}) =>
      new ProfileReader({
        bus,
        unit,
        profile: {
          registers: [registerAt('import', 0, { type: 'u32' }), registerAt('export', 2, { type: 'u32' })],
          limits: limits(more),
        },
        needs: { import: true, export: true },
        readingClock: time.reading,
        clock: time,
        periodMs: 1_000,
        cost,
      });
    return { bus, reader };
  };
  const ask = (reader: ProfileReader) => reader.read().catch(() => {});

  it('each need the time of all of them', async () => {
    const { reader } = setUp(true);
    const first = reader(1);
    await ask(first);
    const alone = first.leastPeriod()?.ms ?? 0;
    for (let unit = 2; unit <= 10; unit++) reader(unit);
    expect(alone).toBeGreaterThan(0);
    expect(first.leastPeriod()?.ms).toBeGreaterThan(alone + 9 * 50);
    expect(first.leastPeriod()?.because).toBe('line');
  });

  it('are not limited on a connection of their own', async () => {
    const { reader } = setUp(false);
    const first = reader(1);
    await ask(first);
    expect(first.leastPeriod()).toBeNull();
  });

  it('keep what their own profiles ask for, each for itself', async () => {
    const { bus, reader } = setUp(true);
    await ask(reader(1, { timeoutMinMs: 900, quarantineMs: 60_000 }));
    await ask(reader(2, { timeoutMinMs: 30, quarantineMs: 0 }));
    for (const unit of [1, 2]) for (let i = 0; i < 20; i++) bus.units.get(unit)?.estimate.answered(10);
    expect(bus.units.get(1)?.estimate.timeoutMs()).toBe(900);
    expect(bus.units.get(2)?.estimate.timeoutMs()).toBe(30);
    expect(bus.quarantine.quarantineMs(1)).toBe(60_000);
    expect(bus.quarantine.quarantineMs(2)).toBeLessThan(60_000);
  });
});
