import type { ServerResponse } from 'node:http';
import type { Clock } from '@gridtokenx/runtime/core';
import { until } from '@gridtokenx/testing-kit/until';
import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { afterEach, describe, expect, it } from 'vitest';
import { RowsRefused, SeriesSetupRefused, SeriesUnavailable } from '../../src/adapters/influx/errors.js';
import { InfluxTimeSeries } from '../../src/adapters/influx/series.js';
import { retryAfterMs } from '../../src/adapters/influx/server.js';
import type { SeriesRow } from '../../src/domain/ports.js';
import { fakeServer, type Request, readingOf, say } from './support.js';

const TOKEN = 'secret-token-of-the-oracle';
const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

async function seriesOn(
  answer: (request: Request, response: ServerResponse) => void,
  clock: Clock = new VirtualClock({ startAtMs: 1_800_000_000_000 }),
) {
  const server = await fakeServer(answer);
  const options = { url: server.url, org: 'o', bucket: 'b', token: () => TOKEN, clock, linesPerRequest: 64 };
  const series = new InfluxTimeSeries(options);
  stops.push(() => series.close(), server.stop);
  return { series, server };
}

const batch = (count: number, changes: (n: number) => Partial<SeriesRow> = () => ({})) =>
  Array.from({ length: count }, (_, n) => ({ ...readingOf(n), ...changes(n) }));

/** Stores good lines and refuses those of zone 66, as the server does; stores some good lines only after the answer. */
function partlyRefusing(tellsHowMany: boolean) {
  const stored = new Set<string>();
  const answer = ({ lines }: Request, response: ServerResponse) => {
    const bad = lines.filter((line) => line.includes('zone=66 ')).length;
    if (bad > 0)
      return say(response, 422, `failure writing points: partial write: x${tellsHowMany ? ` dropped=${bad}` : ''}`);
    for (const line of lines) stored.add(line);
    return say(response, 204);
  };
  return { stored, answer };
}

async function failure(work: Promise<unknown>): Promise<Error> {
  return work.then(
    () => expect.fail('it did not fail'),
    (error: Error) => error,
  );
}

describe('writing', () => {
  it('sends all lines in requests of bounded size, with the token', async () => {
    const { series, server } = await seriesOn((_, response) => say(response, 204));
    await series.write(batch(150));
    expect(server.requests.map(({ lines }) => lines.length)).toEqual([64, 64, 22]);
    expect(server.requests[0]?.headers.authorization).toBe(`Token ${TOKEN}`);
  });

  it.each([200, 201, 202])('does not take status %i for stored', async (status) => {
    const { series } = await seriesOn((_, response) => say(response, status));
    expect(await failure(series.write(batch(2)))).toBeInstanceOf(SeriesUnavailable);
  });

  it.each([
    [429, { 'retry-after': '7' }, 7_000],
    [503, { 'retry-after': '120' }, 120_000],
    [500, {}, 0],
    [502, {}, 0],
    [408, {}, 0],
  ])('asks to write again after %i, and when', async (status, headers, wait) => {
    const { series } = await seriesOn((_, response) => say(response, status, 'busy', headers));
    expect(await failure(series.write(batch(2)))).toMatchObject({ name: 'SeriesUnavailable', retryAfterMs: wait });
  });

  it.each([400, 401, 403, 404, 301])('takes %i for a wrong set-up: no line is blamed', async (status) => {
    const { series, server } = await seriesOn((_, response) =>
      say(response, status, 'organization name "o" not found'),
    );
    expect(await failure(series.write(batch(8)))).toBeInstanceOf(SeriesSetupRefused);
    expect(server.requests).toHaveLength(1);
  });

  it.each([true, false])(
    'finds the refused lines (their number told: %s), and stores every other one',
    async (tells) => {
      const { stored, answer } = partlyRefusing(tells);
      const { series } = await seriesOn(answer);
      const bad = [0, 13, 14, 63, 64, 149];
      const points = batch(150, (n) => (bad.includes(n) ? { zone: 66 } : {}));
      const error = await failure(series.write(points));
      expect(error).toBeInstanceOf(RowsRefused);
      expect(
        (error as RowsRefused).refused.map(({ point }) => points.indexOf(point as (typeof points)[number])),
      ).toEqual(bad);
      expect(stored.size).toBe(150 - bad.length);
    },
  );

  it('needs one request to know that all lines are refused', async () => {
    const { series, server } = await seriesOn(partlyRefusing(true).answer);
    const error = await failure(series.write(batch(64, () => ({ zone: 66 }))));
    expect((error as RowsRefused).refused).toHaveLength(64);
    expect(server.requests).toHaveLength(1);
  });

  it('halves what is too large, and refuses one line that is', async () => {
    const { series, server } = await seriesOn(({ lines }, response) => say(response, lines.length > 16 ? 413 : 204));
    await series.write(batch(64));
    expect(server.requests.map(({ lines }) => lines.length)).toEqual([64, 32, 16, 16, 32, 16, 16]);
    const { series: tiny } = await seriesOn((_, response) => say(response, 413));
    expect(((await failure(tiny.write(batch(1)))) as RowsRefused).refused[0]?.reason).toMatch(/larger/);
  });

  it('keeps refusing a point that is no line, and stores the others', async () => {
    const { series, server } = await seriesOn((_, response) => say(response, 204));
    const error = await failure(series.write(batch(3, (n) => (n === 1 ? { powerW: 0.5 } : {}))));
    expect((error as RowsRefused).refused.map(({ point }) => point.powerW)).toEqual([0.5]);
    expect(server.requests[0]?.lines).toHaveLength(2);
  });

  it('gives up a request that is not answered, and one whose answer trickles', async () => {
    for (const isTrickling of [false, true]) {
      const clock = new VirtualClock({ startAtMs: 1_800_000_000_000 });
      let hasAsked = false;
      let isGone = false;
      const { series } = await seriesOn((_, response) => {
        response.on('close', () => {
          isGone = true;
        });
        if (isTrickling) response.writeHead(503).write('{');
        hasAsked = true;
      }, clock);
      const failed = failure(series.write(batch(2)));
      await until('the request arrives', () => hasAsked);
      clock.fireNext();
      expect(await failed).toMatchObject({
        name: 'SeriesUnavailable',
        message: expect.stringMatching(/no answer within/),
      });
      await until('the connection is closed', () => isGone);
    }
  });

  it('says that a server is away, that a connection broke, and that it is closed itself', async () => {
    const { series, server } = await seriesOn((_, response) => response.destroy());
    expect(await failure(series.write(batch(1)))).toBeInstanceOf(SeriesUnavailable);
    await server.stop();
    stops.pop();
    expect(await failure(series.write(batch(1)))).toBeInstanceOf(SeriesUnavailable);
    await series.close();
    expect((await failure(series.write(batch(1)))).message).toMatch(/closed/);
  });

  it('never says the token, even when the server does', async () => {
    for (const status of [400, 401, 422, 500]) {
      const { series } = await seriesOn(({ headers }, response) =>
        say(response, status, `who is ${headers.authorization}?`),
      );
      const error = await failure(series.write(batch(1)));
      const said = `${error.stack} ${JSON.stringify(error, (_, value) => (typeof value === 'bigint' ? String(value) : value))}`;
      expect(said).not.toContain(TOKEN);
      // The server's words are in the text: the check above did not pass on an empty text.
      expect(said).toContain('who is Token ***');
    }
  });
});

describe('Retry-After', () => {
  const now = Date.parse('2026-01-01T00:00:00Z');
  it.each([
    ['30', 30_000],
    ['Thu, 01 Jan 2026 00:01:00 GMT', 60_000],
    ['Wed, 31 Dec 2025 00:00:00 GMT', 0],
    ['soon', 0],
    [undefined, 0],
  ])('%s', (header, ms) => {
    expect(retryAfterMs(header, now)).toBe(ms);
  });
});
