// Slow: needs a real InfluxDB server. Budget: 60 s.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lineOf } from '../../src/adapters/influx/line.js';
import type { SeriesRow } from '../../src/domain/ports.js';
import { announceServer, influxd, RealServer } from './server.js';
import { readingOf } from './support.js';

announceServer();

const folder = new URL('../../../deploy/influx/', import.meta.url).pathname;
const flux = (name: string) => readFileSync(join(folder, name), 'utf8');
const QUARTER_MS = 900_000;
const DAY_MS = 86_400_000;
/** Midnight three days ago in Thailand: within the retention of gtx-raw. */
const firstDayMs = Math.floor((Date.now() + 7 * 3_600_000) / DAY_MS) * DAY_MS - 7 * 3_600_000 - 3 * DAY_MS;
const soonAfter = new Date(firstDayMs + DAY_MS + 3 * 3_600_000);

describe.skipIf(!influxd)('set-up, tasks and reports on a real server', () => {
  const server = new RealServer();
  beforeAll(async () => {
    await server.start();
    await server.setUp('--regulator', 'erc', '--regulator', 'pea');
  });
  afterAll(() => server.remove());

  it('makes buckets with their retention, tasks and tokens, and changes nothing the second time', async () => {
    const list = async () => ({
      buckets: (
        (await (await server.ask('GET', 'buckets?limit=100')).json()) as {
          buckets: { name: string; retentionRules: { everySeconds: number }[] }[];
        }
      ).buckets
        .filter(({ name }) => name.startsWith('gtx-'))
        .map(({ name, retentionRules }) => [name, (retentionRules[0]?.everySeconds ?? 0) / 86_400])
        .sort(),
      tasks: ((await (await server.ask('GET', 'tasks')).json()) as { tasks: { name: string; status: string }[] }).tasks
        .map(({ name, status }) => `${name} ${status}`)
        .sort(),
      tokens: ['operator', 'oracle', 'regulator-erc', 'regulator-pea'].map((name) => server.token(name)),
      authorizations: ((await (await server.ask('GET', 'authorizations')).json()) as { authorizations: object[] })
        .authorizations.length,
    });
    const before = await list();
    expect(before.buckets).toEqual([
      ['gtx-15m', 1_095],
      ['gtx-day', 3_650],
      ['gtx-raw', 90],
    ]);
    expect(before.tasks).toEqual(['gtx-days active', 'gtx-quarter-hours active', 'gtx-quarter-hours-late active']);
    expect(new Set(before.tokens).size).toBe(4);
    for (const file of readdirSync(join(server.folder, 'tokens'))) {
      expect(statSync(join(server.folder, 'tokens', file)).mode & 0o077).toBe(0);
    }
    const said = await server.setUp('--regulator', 'erc', '--regulator', 'pea');
    expect(await list()).toEqual(before);
    for (const token of before.tokens) expect(said).not.toContain(token);
  });

  it('lets a regulator read intervals and days, nothing else', async () => {
    const token = server.token('regulator-erc');
    const read = (bucket: string) =>
      server.ask('POST', `query?org=${server.org}`, { query: `from(bucket: "${bucket}") |> range(start: -1h)` }, token);
    expect((await read('gtx-15m')).status).toBe(200);
    expect((await read('gtx-day')).status).toBe(200);
    expect((await read('gtx-raw')).status).toBe(404);
    for (const bucket of ['gtx-raw', 'gtx-15m', 'gtx-day']) {
      const response = await fetch(`${server.url}/api/v2/write?org=${server.org}&bucket=${bucket}`, {
        method: 'POST',
        headers: { authorization: `Token ${token}` },
        body: 'reading,zone=1 import_wh=1i',
      });
      expect(response.status).toBe(403);
    }
  });

  it('lets the oracle write readings, and no one read with a revoked token', async () => {
    const token = server.token('oracle');
    const write = (bucket: string) =>
      fetch(`${server.url}/api/v2/write?org=${server.org}&bucket=${bucket}`, {
        method: 'POST',
        headers: { authorization: `Token ${token}` },
        body: 'probe,zone=1 import_wh=1i',
      });
    expect((await write('gtx-raw')).status).toBe(204);
    expect((await write('gtx-15m')).status).toBe(403);
    const regulator = server.token('regulator-pea');
    expect((await server.ask('GET', 'buckets', undefined, regulator)).status).toBe(200);
    await server.setUp('--revoke', 'pea');
    expect((await server.ask('GET', 'buckets', undefined, regulator)).status).toBe(401);
  });

  describe('from readings to intervals, days and reports', () => {
    /** Every minute of a day, without 09:10 to 12:40 (meter 0); the other meters begin later. */
    const points: SeriesRow[] = [];
    for (let n = 0; n < 3 * 1_440; n++) {
      const point = readingOf(n, 3);
      const minute = Math.floor(n / 3);
      const meter = n % 3;
      if (meter === 0 && minute >= 550 && minute < 760) continue;
      if (minute < meter * 100) continue;
      points.push({ ...point, timeMs: firstDayMs + minute * 60_000 + 1_234 });
    }
    // These points arrive after all others.
    const late = points.splice(2_000, 40);

    const run = (name: string) => server.rows(flux(`tasks/${name}.flux`), soonAfter);
    const report = (name: string, now: Date) =>
      server.rows(flux(`queries/${name}.flux`), now, server.token('regulator-erc'));

    /** Computes last - first by quarter-hours, as `meter time` to Wh exported. */
    function model(readings: readonly SeriesRow[]): Map<string, bigint> {
      const deltas = new Map<string, bigint>();
      const standing = new Map<string, bigint>();
      for (const { meterId, timeMs, exportWh } of [...readings].sort((a, b) => a.timeMs - b.timeMs)) {
        const name = `${meterId} ${Math.floor(timeMs / QUARTER_MS) * QUARTER_MS}`;
        deltas.set(name, (deltas.get(name) ?? 0n) + exportWh - (standing.get(meterId) ?? exportWh));
        standing.set(meterId, exportWh);
      }
      return deltas;
    }

    async function intervals(field: string): Promise<Map<string, bigint>> {
      const rows = await server.rows(`from(bucket: "gtx-15m") |> range(start: -30d)
        |> filter(fn: (r) => r._measurement == "interval" and r._field == "${field}")`);
      return new Map(rows.map((row) => [`${row.meter} ${Date.parse(row._time ?? '')}`, BigInt(row._value ?? '')]));
    }

    it('keeps each counter, its difference and the number of readings, gaps and late readings included', async () => {
      await server.write('gtx-raw', points.map(lineOf));
      await run('quarter-hours-late');
      expect(await intervals('export_delta_wh')).toEqual(model(points));
      // The control: the comparison notices the late points.
      expect(model([...points, ...late])).not.toEqual(model(points));
      await server.write('gtx-raw', late.map(lineOf));
      for (let again = 0; again < 2; again++) {
        await run('quarter-hours-late');
        expect(await intervals('export_delta_wh')).toEqual(model([...points, ...late]));
      }
      const counts = [...(await intervals('readings')).values()].reduce((sum, n) => sum + n, 0n);
      expect(counts).toBe(BigInt(points.length + late.length));
    });

    it('goes on from the intervals before, when only the last two hours are worked on', async () => {
      const before = await intervals('export_delta_wh');
      for (const hours of [10, 12.75, 13, 23]) {
        await server.rows(flux('tasks/quarter-hours.flux'), new Date(firstDayMs + hours * 3_600_000));
        expect(await intervals('export_delta_wh')).toEqual(before);
      }
    });

    it('adds up to days of Thai time, and to the reports', async () => {
      for (let again = 0; again < 2; again++) await run('days');
      const all = [...points, ...late].sort((a, b) => a.timeMs - b.timeMs);
      const of = (meter: number) => all.filter(({ meterId }) => meterId === readingOf(meter, 3).meterId);
      const exported = (readings: readonly SeriesRow[]) =>
        (readings.at(-1)?.exportWh ?? 0n) - (readings[0]?.exportWh ?? 0n);
      const days = await server.rows('from(bucket: "gtx-day") |> range(start: -30d)');
      expect(new Set(days.map((row) => Date.parse(row._time ?? '')))).toEqual(new Set([firstDayMs]));
      for (const meter of [0, 1, 2]) {
        const { meterId } = readingOf(meter, 3);
        const value = (field: string) => days.find((row) => row.meter === meterId && row._field === field)?._value;
        expect(value('export_delta_wh')).toBe(String(exported(of(meter))));
        expect(value('export_wh')).toBe(String(of(meter).at(-1)?.exportWh));
        expect(value('readings')).toBe(String(of(meter).length));
      }

      const zones = await report('zone-energy', soonAfter);
      const sum = zones
        .filter((row) => row._field === 'export_delta_wh')
        .reduce((s, row) => s + BigInt(row._value ?? ''), 0n);
      expect(sum).toBe([0, 1, 2].reduce((s, meter) => s + exported(of(meter)), 0n));
      expect(new Set(zones.map((row) => row.zone))).toEqual(new Set(['1', '2', '3']));

      const complete = await report('completeness', soonAfter);
      expect(complete.map((row) => [row.meter?.slice(0, 2), row._value]).sort()).toEqual([
        // Meter 0 has no reading in 13 intervals; the other meters begin in the 7th and in the 14th.
        ['00', '83'],
        ['01', '90'],
        ['02', '83'],
      ]);

      const day = new Date(firstDayMs + 7 * 3_600_000);
      const nextMonth = new Date(Date.UTC(day.getUTCFullYear(), day.getUTCMonth() + 1, 2));
      const month = await report('month-energy', nextMonth);
      const named = new Map(month.map((row) => [`${row.meter} ${row._field}`, row._value]));
      for (const meter of [0, 1, 2]) {
        expect(named.get(`${readingOf(meter, 3).meterId} export_delta_wh`)).toBe(String(exported(of(meter))));
      }
    });
  });
});
