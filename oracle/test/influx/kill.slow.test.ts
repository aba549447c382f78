// Slow: kills a real InfluxDB server. Budget: 60 s.

import { join } from 'node:path';
import { asMeterId } from '@gridtokenx/protocol';
import { systemClock } from '@gridtokenx/runtime/node';
import { until } from '@gridtokenx/testing-kit/until';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TimeSeriesFeeder } from '../../src/adapters/influx/feeder.js';
import { openDatabase } from '../../src/adapters/sqlite/database.js';
import { influxMigrations, SqliteFeedRecord } from '../../src/adapters/sqlite/feed-record.js';
import type { TimeSeries } from '../../src/domain/live/ports.js';
import type { SeriesRow } from '../../src/domain/ports.js';
import { announceServer, influxd, RealServer } from './server.js';
import { memoryLogger, Readings, seriesIn } from './support.js';

announceServer();

const READINGS = 40_000;
const BATCH = 1_000;
const seed = Number(process.env.GTX_SEED ?? 1);

interface Audit {
  readonly lost: number;
  readonly doubled: number;
  readonly wrong: number;
  readonly sums: { readonly importWh: bigint; readonly exportWh: bigint };
}

function sumsOf(points: readonly SeriesRow[]) {
  return points.reduce((sum, p) => ({ importWh: sum.importWh + p.importWh, exportWh: sum.exportWh + p.exportWh }), {
    importWh: 0n,
    exportWh: 0n,
  });
}

/** Compares every stored row with its reading, whatever its tags are. */
async function audit(server: RealServer, bucket: string, expected: readonly SeriesRow[]): Promise<Audit> {
  const rows = await server.rows(`from(bucket: "${bucket}") |> range(start: 0)
    |> filter(fn: (r) => r._measurement == "reading" and (r._field == "import_wh" or r._field == "export_wh"))
    |> keep(columns: ["_time", "_field", "_value", "meter", "zone"])`);
  const found = new Map<string, bigint[]>();
  const place = (meter: string, timeMs: number, field: string) => `${meter} ${timeMs} ${field}`;
  const sums = { importWh: 0n, exportWh: 0n };
  for (const { meter = '', _time = '', _field = '', _value = '' } of rows) {
    const name = place(meter, Date.parse(_time), _field);
    found.set(name, [...(found.get(name) ?? []), BigInt(_value)]);
    sums[_field === 'import_wh' ? 'importWh' : 'exportWh'] += BigInt(_value);
  }
  let [lost, doubled, wrong] = [0, 0, 0];
  for (const { meterId, timeMs, importWh, exportWh } of expected) {
    for (const [field, value] of [
      ['import_wh', importWh],
      ['export_wh', exportWh],
    ] as const) {
      const values = found.get(place(meterId, timeMs, field)) ?? [];
      found.delete(place(meterId, timeMs, field));
      if (values.length === 0) lost++;
      if (values.length > 1) doubled++;
      if (values.some((stored) => stored !== value)) wrong++;
    }
  }
  return { lost, doubled, wrong: wrong + found.size, sums };
}

describe.skipIf(!influxd)('a real server that is killed in mid-write', () => {
  const server = new RealServer();
  let runs = 0;
  beforeAll(async () => {
    await server.start();
    await server.setUp();
  });
  afterAll(() => server.remove());

  /**
   * Feeds all readings while the test kills the server, and every second time also the feeding process, during a write.
   * `around` wraps the series for the feeder.
   */
  async function feedUnderFire(around: (series: TimeSeries) => TimeSeries) {
    const bucket = `kill-${++runs}`;
    await server.makeBucket(bucket);
    const source = new Readings(READINGS);
    const path = join(server.folder, `${bucket}.sqlite`);
    const [first = [], delays = []] = fc.sample(
      fc.array(fc.integer({ min: 2, max: 9 }), { minLength: 5, maxLength: 5 }),
      {
        numRuns: 2,
        seed,
      },
    );
    let killAt = 2;
    const kills = { server: 0, process: 0, unacknowledged: 0 };
    let writes = 0;
    let isStriking = false;
    let restart: Promise<void> = Promise.resolve();
    let process = begin();

    function begin() {
      const database = openDatabase(path, influxMigrations);
      const inner = seriesIn(server, bucket);
      const armed: TimeSeries = {
        async write(points) {
          const work = inner.write(points);
          if (++writes >= killAt && !isStriking && kills.server < first.length) {
            isStriking = true;
            work.catch(() => kills.unacknowledged++);
            restart = strike().finally(() => {
              isStriking = false;
            });
          }
          await work;
        },
        range: (...of) => inner.range(...of),
        close: () => inner.close(),
      };
      const feeder = new TimeSeriesFeeder({
        source,
        record: new SqliteFeedRecord(database, bucket),
        series: around(armed),
        clock: systemClock,
        randomness: { bytes: () => new Uint8Array(), fraction: () => 0 },
        logger: memoryLogger(),
        batch: BATCH,
      });
      feeder.wake();
      return { database, inner, feeder };
    }

    async function strike(): Promise<void> {
      const round = kills.server++;
      // Kills after a few turns of the event loop, another number each time: somewhere within the request.
      for (let turn = 0; turn < (delays[round] ?? 0); turn++) await new Promise(setImmediate);
      await server.kill();
      if (round % 2 === 1) {
        kills.process++;
        const dead = process;
        await Promise.all([dead.feeder.stop(0), dead.inner.close()]);
        dead.database.sqlite.close();
        process = begin();
      }
      await server.start();
      killAt = writes + (first[round] ?? 2);
    }

    await until('everything is fed', () => process.feeder.state().cursor === READINGS, 50_000);
    await restart;
    // A request that was sent without waiting may still be on its way.
    await server.kill();
    await server.start();
    await process.feeder.stop(2_000);
    await process.inner.close();
    process.database.sqlite.close();
    return {
      kills,
      result: await audit(server, bucket, source.points),
      expected: sumsOf(source.points),
      bucket,
      source,
    };
  }

  it('loses nothing and doubles nothing', async () => {
    const { kills, result, expected } = await feedUnderFire((series) => series);
    expect(kills.server).toBe(5);
    expect(kills.process).toBe(2);
    expect(kills.unacknowledged).toBeGreaterThan(0);
    expect(result).toEqual({ lost: 0, doubled: 0, wrong: 0, sums: expected });
  });

  it('control: a cursor that moves before the acknowledgement loses readings, and that is seen', async () => {
    const { result, expected } = await feedUnderFire((series) => ({
      async write(points) {
        series.write(points).catch(() => undefined);
      },
      range: (...of) => series.range(...of),
      close: () => series.close(),
    }));
    expect(result.lost).toBeGreaterThan(0);
    expect(result.sums).not.toEqual(expected);
  });

  it('control: a repetition under other tags doubles readings, and that is seen', async () => {
    const { result } = await feedUnderFire((series) => ({
      async write(points) {
        await series.write(points);
        await series.write(points.slice(0, 1).map((point) => ({ ...point, zone: point.zone + 100 })));
      },
      range: (...of) => series.range(...of),
      close: () => series.close(),
    }));
    expect(result.doubled).toBeGreaterThan(0);
  });

  it('names what the bucket refuses, and stores the rest', async () => {
    const bucket = 'short';
    const made = (await (await server.ask('GET', 'orgs')).json()) as { orgs: { id: string }[] };
    const rules = [{ type: 'expire', everySeconds: 86_400 }];
    await server.ask('POST', 'buckets', { orgID: made.orgs[0]?.id, name: bucket, retentionRules: rules });
    const nowMs = Math.floor(Date.now() / 60_000) * 60_000;
    const source = new Readings(200);
    source.points.forEach((point, i) => {
      // Every seventh point is older than the bucket's retention.
      if (i % 7 !== 0) source.points[i] = { ...point, timeMs: nowMs - (200 - i) * 1_000 };
    });
    const series = seriesIn(server, bucket);
    const database = openDatabase(join(server.folder, 'short.sqlite'), influxMigrations);
    const record = new SqliteFeedRecord(database, bucket);
    const feeder = new TimeSeriesFeeder({
      ...{ source, record, series, clock: systemClock, logger: memoryLogger(), batch: 2_000 },
      randomness: { bytes: () => new Uint8Array(), fraction: () => 0 },
    });
    feeder.wake();
    await until('everything is fed', () => feeder.state().cursor === 200);
    const old = source.points.filter((_, i) => i % 7 === 0);
    const places = (points: readonly { meterId: string; timeMs: number }[]) =>
      points.map((p) => `${p.meterId} ${p.timeMs}`).sort();
    expect(places(record.refused(1_000))).toEqual(places(old));
    expect(record.refused(1)[0]?.reason).toMatch(/retention/i);
    const kept = source.points.filter((_, i) => i % 7 !== 0);
    expect(await audit(server, bucket, kept)).toEqual({ lost: 0, doubled: 0, wrong: 0, sums: sumsOf(kept) });
    await feeder.stop(2_000);
    await series.close();
    database.sqlite.close();
  });

  it('waits for a person when the token is wrong, then goes on', async () => {
    const bucket = 'gtx-later';
    await server.makeBucket(bucket);
    let token = 'not-the-token';
    const series = seriesIn(server, bucket, () => token);
    const points = new Readings(10).points;
    await expect(series.write(points)).rejects.toMatchObject({ name: 'SeriesSetupRefused' });
    await expect(series.range(asMeterId(points[0]?.meterId ?? ''), 0, 2e12, 1)).rejects.toMatchObject({
      name: 'SeriesSetupRefused',
    });
    token = server.token();
    await series.write(points);
    expect(await audit(server, bucket, points)).toMatchObject({ lost: 0, doubled: 0, wrong: 0 });
    await series.close();
  });
});
