import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { asPublicKeyText, asWh, Role } from '@gridtokenx/protocol';
import { NOW_MS, testLedger } from '@gridtokenx/testing-kit/oracle/ledger';
import { FakeRegistry, JournalBuilder, meterOf, NETWORK, signerOf } from '@gridtokenx/testing-kit/signed-journal';
import { fixedRandom, VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { afterEach, describe, expect, it } from 'vitest';
import { openChecked } from '../../src/adapters/sqlite/damage.js';
import { openDatabase } from '../../src/adapters/sqlite/database.js';
import { influxMigrations, SqliteFeedRecord } from '../../src/adapters/sqlite/feed-record.js';
import { ledgerMigrations } from '../../src/adapters/sqlite/schema.js';
import { SqliteSetAside } from '../../src/adapters/sqlite/set-aside.js';
import { EmbeddedTimeSeries } from '../../src/adapters/sqlite/time-series.js';
import { Projector } from '../../src/domain/live/projector.js';
import { isSeriesTime, MAX_SERIES_MS, writeAround } from '../../src/domain/live/series-write.js';
import { describeState, GatewayStatuses } from '../../src/domain/live/state.js';
import type { SeriesRow } from '../../src/domain/ports.js';
import { settle, testLogger } from '../support/time.js';

// One signed reading with a time that no store holds must not stop the time series of all homes.
const [one, two] = [meterOf(1), meterOf(2)];
const TIMES = [2n ** 63n - 1n, -(2n ** 63n), -1n, 2n ** 53n, 8_640_000_000_000_001n, BigInt(MAX_SERIES_MS) + 1n];
const directories: string[] = [];
afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});

function world() {
  const directory = mkdtempSync(join(tmpdir(), 'gtx-times-'));
  directories.push(directory);
  const registry = new FakeRegistry(one, two);
  const test = testLedger(registry);
  const series = new EmbeddedTimeSeries(join(directory, 'series.sqlite'), openChecked);
  const setAside = new SqliteSetAside(test.database);
  const clock = new VirtualClock({ startAtMs: 1_000_000 });
  const logger = testLogger();
  const projector = new Projector({
    ...{ ledger: test.ledger, series, setAside, logger },
    ...{ clock: clock, random: fixedRandom() },
  });
  const drain = async () => {
    projector.wake();
    clock.advanceNow(40_000);
    await settle();
    await settle();
  };
  return { ...test, registry, series, setAside, clock, logger, projector, drain };
}

function point(seq: number, change: Partial<SeriesRow> = {}): SeriesRow {
  const rest = { zone: 1, role: Role.point, source: 1, importWh: asWh(1n), exportWh: asWh(1n), powerW: 1, quality: 64 };
  const none = { voltageDv: null, frequencyChz: null, isVerified: true };
  return { timeMs: NOW_MS + seq, meterId: one.meterId, seq: BigInt(seq), ...rest, ...none, ...change };
}

describe('a time that no store holds', () => {
  it('is verified where the clock is not known, is no point, and holds up nobody', async () => {
    const w = world();
    const log = new JournalBuilder(one, signerOf(1));
    const strange = TIMES.map((timeMs) => log.reading({ timeMs, timeUncertaintyMs: null }));
    const honest = new JournalBuilder(two, signerOf(2)).honest(1, 3);
    w.take(strange);
    w.take(honest);
    for (const message of strange) expect(w.verdictOf(message)).toBe(0);
    await w.drain();
    expect(await w.series.range(two.meterId, 0, MAX_SERIES_MS, 100)).toHaveLength(3);
    expect(await w.series.range(one.meterId, -(2 ** 53), 2 ** 53, 100)).toEqual([]);
    expect(w.projector.problem).toBeNull();
    expect(w.ledger.outbox(10)).toEqual({ through: 0, points: [] });
  });

  it('is shown as no time in the state, whose figures can all become dates', () => {
    const w = world();
    const log = new JournalBuilder(one, signerOf(1));
    w.take([log.reading({ timeMs: TIMES[0] as bigint, timeUncertaintyMs: null })]);
    const settlements = {
      ...{ after: () => [], totalsOf: () => undefined, chainState: () => ({ ...IDLE }), chainHealth: () => null },
    };
    const readingClock = { nowMs: () => NOW_MS };
    const state = describeState({
      ...{
        networkId: NETWORK,
        ledgerId: w.ledger.id,
        verifier: '',
        oracle: asPublicKeyText(new Uint8Array(32)),
        attestor: '',
        utcOffsetMinutes: 0,
      },
      ...{ readingClock, clock: w.clock, registry: w.registry, settlements, views: w.views, series: () => null },
      gateways: new GatewayStatuses(w.clock),
    });
    const [meter] = state.meters.filter(({ meter_id }) => meter_id === one.meterId);
    expect([meter?.reading_time_ms, meter?.age_ms, meter?.import_wh]).toEqual([null, null, '5000']);
    expect(() => JSON.stringify(state)).not.toThrow();
  });

  it('that lies in the outbox of an earlier version is passed over', async () => {
    const w = world();
    const log = new JournalBuilder(one, signerOf(1));
    w.take([log.reading({ timeMs: TIMES[0] as bigint, timeUncertaintyMs: null })]);
    w.database.sqlite.exec('INSERT INTO outbox (message) SELECT id FROM messages');
    w.take(new JournalBuilder(two, signerOf(2)).honest(1, 3));
    await w.drain();
    expect(await w.series.range(two.meterId, 0, MAX_SERIES_MS, 100)).toHaveLength(3);
    expect(w.projector.problem).toBeNull();
  });

  it('that an Influx server refuses is recorded and does not stop the record', () => {
    const database = openDatabase(':memory:', [...ledgerMigrations, ...influxMigrations]);
    const record = new SqliteFeedRecord(database, 'here');
    for (const timeMs of [...TIMES.map(Number), Number.NaN, Number.POSITIVE_INFINITY]) {
      record.advance(1, [{ point: point(1, { timeMs }), reason: 'out of range' }]);
    }
    expect(record.cursor()).toBe(1);
    expect(record.refused(100).length).toBeGreaterThan(0);
  });

  it.each([0, 1, NOW_MS, MAX_SERIES_MS])('control: %d is a time', (ms) => {
    expect(isSeriesTime(ms)).toBe(true);
    expect(() => new Date(ms).toISOString()).not.toThrow();
  });
});

describe('a row that the store does not take', () => {
  const BAD = { quality: 2.5 };

  it('is found by halving, set aside with its reason, and the others are stored', async () => {
    const w = world();
    const points = Array.from({ length: 50 }, (_, i) => point(i, i % 17 === 3 ? BAD : {}));
    const { refused } = await writeAround(w.series, points, null);
    expect(refused.map(({ point: { seq } }) => seq)).toEqual([3n, 20n, 37n]);
    expect(refused[0]?.reason).toMatch(/INTEGER|REAL|datatype/i);
    expect(await w.series.range(one.meterId, 0, MAX_SERIES_MS, 100)).toHaveLength(47);
    w.setAside.add(refused);
    w.setAside.add(refused.slice(0, 1));
    expect(w.setAside.count()).toBeGreaterThanOrEqual(3);
  });

  it('is not blamed while the store takes nothing at all', async () => {
    const away = { write: () => Promise.reject(new Error('away')) };
    await expect(writeAround(away, [point(1), point(2)], null)).rejects.toThrow('away');
    await expect(writeAround(away, [point(1), point(2)], point(0))).rejects.toThrow('away');
  });

  it('does not stop the projector; a store that is away is named', async () => {
    const w = world();
    const bad = { outbox: w.ledger.outbox.bind(w.ledger), clearOutbox: w.ledger.clearOutbox.bind(w.ledger) };
    const outbox = (limit: number) => {
      const page = bad.outbox(limit);
      return { ...page, points: page.points.map((p, i) => (i === 1 ? { ...p, ...BAD } : p)) };
    };
    let isAway = false;
    const series = {
      write: (points: readonly SeriesRow[]) =>
        isAway ? Promise.reject(new Error('the disk is full')) : w.series.write(points),
      range: w.series.range.bind(w.series),
      close: async () => {},
    };
    const projector = new Projector({
      ...{ ledger: { ...bad, outbox }, series, setAside: w.setAside },
      ...{ clock: w.clock, random: fixedRandom(), logger: w.logger },
    });
    const run = async (ms: number) => {
      projector.wake();
      w.clock.advanceNow(ms);
      for (let i = 0; i < 5; i++) await settle();
    };
    w.take(new JournalBuilder(two, signerOf(2)).honest(1, 5));
    await run(1_000);
    expect([projector.problem, w.setAside.count()]).toEqual([null, 1]);
    isAway = true;
    w.take(new JournalBuilder(one, signerOf(1)).honest(1, 5));
    await run(1_000);
    w.clock.advanceNow(60_000);
    expect(projector.problem).toMatch(/^the time series has not been written for \d+ s: the disk is full$/);
    isAway = false;
    await run(60_000);
    expect([projector.problem, w.setAside.count()]).toEqual([null, 2]);
  });

  it('is tried again ever more rarely by the projector, which says so once', async () => {
    const w = world();
    const triedAtMs: number[] = [];
    const write = () => {
      triedAtMs.push(w.clock.monotonicMs());
      return Promise.reject(new Error('away'));
    };
    const logged: object[] = [];
    const note = (fields: object) => void logged.push(fields);
    const projector = new Projector({
      ...{
        ledger: w.ledger,
        series: Object.assign(Object.create(w.series), { write }),
        setAside: w.setAside,
        clock: w.clock,
      },
      ...{ random: fixedRandom(), logger: { debug: note, info: note, warn: note, error: note } },
    });
    w.take(new JournalBuilder(one, signerOf(1)).honest(1, 5));
    projector.wake();
    for (let n = 0; n < 600; n++) {
      w.clock.advanceNow(100);
      await settle();
    }
    // All writes of one attempt fall into one tenth of a second.
    const attempts = new Set(triedAtMs.map((ms) => Math.ceil(ms / 100) * 100));
    expect([...attempts]).toEqual([200, 600, 1_400, 3_000, 6_200, 12_600, 25_400, 50_900]);
    expect(logged).toMatchObject([{ event: 'series_write_retry' }]);
    await projector.stop();
  });

  it('control: without the split the same batch is tried for ever', async () => {
    const w = world();
    await expect(w.series.write([point(1), point(2, BAD)])).rejects.toThrow();
    expect(await w.series.range(one.meterId, 0, MAX_SERIES_MS, 100)).toEqual([]);
  });
});

const IDLE = { pending: 0, sender: 'idle', lastSnapshotChainSlot: null };
