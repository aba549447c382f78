import { until } from '@gridtokenx/testing-kit/until';
import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { describe, expect, it } from 'vitest';
import { RowsRefused, SeriesSetupRefused, SeriesUnavailable } from '../../src/adapters/influx/errors.js';
import { TimeSeriesFeeder } from '../../src/adapters/influx/feeder.js';
import type { SeriesRow } from '../../src/domain/ports.js';
import { FakeSeries, MemoryRecord, memoryLogger, Readings } from './support.js';

function feed(source = new Readings(25), record = new MemoryRecord(), series = new FakeSeries()) {
  const clock = new VirtualClock({ startAtMs: 1_800_000_000_000 });
  const logger = memoryLogger();
  let fraction = 0.5;
  const randomness = { bytes: () => new Uint8Array(), fraction: () => fraction };
  const feeder = new TimeSeriesFeeder({ source, record, series, clock, randomness, logger, batch: 10 });
  return {
    ...{ source, record, series, clock, logger, feeder },
    setFraction(value: number) {
      fraction = value;
    },
    /** Fires the next timer and waits for the work that it began; returns the timer's delay. */
    async turn(): Promise<number> {
      const before = series.writes;
      const { failures, cursor } = feeder.state();
      const wait = clock.fireNext();
      await until(
        'the turn ends',
        () =>
          feeder.state().failures !== failures || (feeder.state().cursor !== cursor && feeder.state().failures === 0),
        5_000,
      );
      expect(series.writes).toBeGreaterThanOrEqual(before);
      return wait;
    },
  };
}

const away = () => {
  throw new SeriesUnavailable('away');
};

describe('following the ledger', () => {
  it('writes everything once, a bounded number at a time, and then only what is new', async () => {
    const f = feed();
    f.feeder.wake();
    await f.turn();
    expect(f.record.through).toBe(25);
    expect(f.series.stored.size).toBe(25);
    expect(f.source.largest).toBe(10);
    f.source.add(5);
    f.feeder.wake();
    f.feeder.wake();
    await f.turn();
    expect([f.record.through, f.series.writes]).toEqual([30, 4]);
    expect(f.clock.nextDueAtMs).toBeNull();
  });

  it('moves the cursor only after an acknowledgement, and reads no further meanwhile', async () => {
    const f = feed();
    f.series.next.push(() => {}, away, away);
    f.feeder.wake();
    await f.turn();
    expect(f.record.through).toBe(10);
    await f.turn();
    expect([f.record.through, f.feeder.state().failures, f.source.largest]).toEqual([10, 2, 10]);
    await f.turn();
    expect([f.record.through, f.series.stored.size, f.feeder.state().failures]).toEqual([25, 25, 0]);
  });

  it('a row that makes the server fail each time is found, set aside and passed over', async () => {
    const f = feed();
    const write = f.series.write.bind(f.series);
    f.series.write = async (points: readonly SeriesRow[]) => {
      if (points.some(({ meterId }) => meterId === f.source.points[4]?.meterId))
        throw new SeriesUnavailable('the server answered 500');
      await write(points);
    };
    f.feeder.wake();
    for (let turn = 0; turn < 4; turn++) await f.turn();
    await until('all is looked at', () => f.record.through === 25, 5_000);
    expect(f.record.through).toBe(25);
    expect(f.record.refused.map(({ reason }) => reason)).toEqual([
      'the server answered 500',
      'the server answered 500',
    ]);
    expect([f.series.stored.size, f.feeder.stalled]).toEqual([23, null]);
  });

  it('names a server that is away, with the time since when', async () => {
    const f = feed();
    f.series.next.push(away);
    f.feeder.wake();
    await f.turn();
    expect(f.feeder.stalled).toMatch(/has not been written for \d+ s: away/);
    await f.turn();
    expect(f.feeder.stalled).toBeNull();
  });

  it('waits longer after each failure, with jitter, up to a minute; a wake does not shorten that', async () => {
    const f = feed();
    f.series.next.push(...Array(12).fill(away));
    f.feeder.wake();
    const waits = [await f.turn()];
    for (let i = 0; i < 10; i++) {
      f.feeder.wake();
      expect(f.clock.pending).toBe(1);
      waits.push(await f.turn());
    }
    expect(waits).toEqual([200, 375, 750, 1_500, 3_000, 6_000, 12_000, 24_000, 45_000, 45_000, 45_000]);
    f.setFraction(0);
    await f.turn();
    expect(f.clock.nextDueAtMs).toBe(30_000);
  });

  it('waits as long as the server asks, within reason', async () => {
    const f = feed();
    for (const ms of [90_000, 86_400_000]) {
      f.series.next.push(() => {
        throw new SeriesUnavailable('busy', ms);
      });
    }
    f.feeder.wake();
    await f.turn();
    expect(f.clock.nextDueAtMs).toBe(90_000);
    await f.turn();
    expect(f.clock.nextDueAtMs).toBe(600_000);
  });

  it('says once what is wrong and once that it is over, and drops nothing for a wrong set-up', async () => {
    const f = feed();
    for (let i = 0; i < 3; i++) {
      f.series.next.push(() => {
        throw new SeriesSetupRefused('the server answered 401');
      });
    }
    f.feeder.wake();
    for (let i = 0; i < 3; i++) await f.turn();
    expect(f.clock.nextDueAtMs).toBe(45_000);
    await f.turn();
    expect(f.logger.entries.map(({ level }) => level)).toEqual(['warn', 'info']);
    expect([f.record.through, f.record.refused]).toEqual([25, []]);
  });

  it('keeps refused points by name and goes on', async () => {
    const f = feed();
    const bad = f.source.points[3] as SeriesRow;
    f.series.next.push(() => {
      throw new RowsRefused([{ point: bad, reason: 'older than the bucket keeps' }]);
    });
    f.feeder.wake();
    await f.turn();
    expect(f.record.refused).toEqual([{ point: bad, reason: 'older than the bucket keeps' }]);
    expect(f.feeder.state()).toMatchObject({ cursor: 25, written: 24, refused: 1, failures: 0 });
  });

  it('goes on when the disk does', async () => {
    const f = feed();
    f.source.isBroken = true;
    f.feeder.wake();
    await f.turn();
    expect(f.feeder.state().problem).toBe('disk I/O error');
    f.source.isBroken = false;
    await f.turn();
    expect(f.record.through).toBe(25);
  });

  it('goes on after the last record when the process was killed at any moment', async () => {
    for (let killedAt = 0; killedAt <= 3; killedAt++) {
      const record = new MemoryRecord();
      const series = new FakeSeries();
      const first = feed(new Readings(25), record, series);
      series.next.push(...Array(killedAt).fill(() => {}), away);
      first.feeder.wake();
      await first.turn();
      expect(record.through).toBe(Math.min(25, killedAt * 10));
      const second = feed(first.source, record, series);
      series.next.length = 0;
      second.source.add(5);
      second.feeder.wake();
      await second.turn();
      expect([record.through, series.stored.size]).toEqual([30, 30]);
    }
  });
});

describe('a meter whose tags change', () => {
  const moved = (source: Readings) => {
    source.points.forEach((point, i) => {
      source.points[i] = { ...point, zone: 9 };
    });
  };

  it('is not there twice when the change falls between a write and its repetition', async () => {
    const record = new MemoryRecord();
    const first = feed(new Readings(25), record);
    first.series.next.push(away);
    first.feeder.wake();
    await first.turn();
    expect(first.series.stored.size).toBe(10);
    // The process is killed; after the restart the registry shows another zone.
    moved(first.source);
    const second = feed(first.source, record, first.series);
    second.feeder.wake();
    await second.turn();
    expect(first.series.stored.size).toBe(25);
    // Points after everything is recorded have the new zone.
    const at = second.source.points.length;
    second.source.add(3);
    moved(second.source);
    second.feeder.wake();
    await second.turn();
    expect([...first.series.stored.values()].slice(at).map(({ zone }) => zone)).toEqual([9, 9, 9]);
  });

  it('would be there twice without the record of tags', async () => {
    const forgetful = new MemoryRecord();
    const first = feed(new Readings(25), forgetful);
    first.series.next.push(away);
    first.feeder.wake();
    await first.turn();
    moved(first.source);
    forgetful.meters.clear();
    const second = feed(first.source, forgetful, first.series);
    second.feeder.wake();
    await second.turn();
    expect(first.series.stored.size).toBe(35);
  });
});

describe('stopping', () => {
  it('writes what is left', async () => {
    const f = feed();
    f.feeder.wake();
    await f.feeder.stop(2_000);
    expect([f.record.through, f.clock.nextDueAtMs]).toEqual([25, null]);
  });

  it('does not wait for a server that does not answer, and records nothing that is acknowledged later', async () => {
    let acknowledge = () => {};
    let isAsked = false;
    const f = feed();
    f.series.write = () =>
      new Promise((resolve) => {
        isAsked = true;
        acknowledge = resolve;
      });
    f.feeder.wake();
    f.clock.fireNext();
    await until('the write begins', () => isAsked);
    const stopped = f.feeder.stop(2_000);
    expect(f.clock.fireNext()).toBe(2_000);
    await stopped;
    acknowledge();
    await new Promise(setImmediate);
    expect(f.record.advances).toBe(0);
  });
});
