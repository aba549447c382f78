import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { asMeterId, asWh, type MeterId } from '@gridtokenx/protocol';
import type { Logger } from '@gridtokenx/runtime/core';
import { systemClock } from '@gridtokenx/runtime/node';
import { LINES_PER_REQUEST } from '../../src/adapters/influx/index.js';
import { InfluxTimeSeries } from '../../src/adapters/influx/series.js';
import type { FeedRecord, MeterTags, ReadingSource, TimeSeries } from '../../src/domain/live/ports.js';
import type { SeriesRow } from '../../src/domain/ports.js';
import type { RealServer } from './server.js';

/** Opens a bucket of a real server as a time series, with the server's own token unless a test gives another. */
export function seriesIn(server: RealServer, bucket: string, token = () => server.token()): InfluxTimeSeries {
  const { url, org } = server;
  return new InfluxTimeSeries({ url, org, bucket, token, clock: systemClock, linesPerRequest: LINES_PER_REQUEST });
}

export const INITIAL_MS = 1_700_000_000_000;

/** Returns reading number `n` of a few meters: all differ, and the registers only rise. */
export function readingOf(n: number, meters = 20): SeriesRow {
  const meter = n % meters;
  const round = Math.floor(n / meters);
  return {
    timeMs: INITIAL_MS + round * 60_000,
    meterId: asMeterId(meter.toString(16).padStart(2, '0').repeat(16)),
    zone: 1 + (meter % 3),
    role: 0,
    source: 1,
    importWh: asWh(BigInt(5_000 + round * 7 + meter)),
    exportWh: asWh(BigInt(1_000 + round * 11 + meter)),
    powerW: -240,
    voltageDv: 2_301,
    frequencyChz: 5_000,
    quality: 64,
    seq: BigInt(round + 1),
    isVerified: true,
  };
}

/** A ledger's verified readings in memory; positions begin at 1. */
export class Readings implements ReadingSource {
  readonly points: SeriesRow[] = [];
  /** Largest number of points returned at a time. */
  largest = 0;
  isBroken = false;

  constructor(count = 0) {
    this.add(count);
  }

  add(count: number): void {
    for (let i = 0; i < count; i++) this.points.push(readingOf(this.points.length));
  }

  readingsAfter(cursor: number, limit: number) {
    if (this.isBroken) throw new Error('disk I/O error');
    const points = this.points.slice(cursor, cursor + limit);
    this.largest = Math.max(this.largest, points.length);
    return { through: cursor + points.length, points };
  }
}

/** Keeps only recorded state: all that survives the kill of a process. */
export class MemoryRecord implements FeedRecord {
  through = 0;
  readonly refused: { point: SeriesRow; reason: string }[] = [];
  readonly meters = new Map<MeterId, MeterTags>();
  advances = 0;

  cursor(): number {
    return this.through;
  }
  advance(through: number, refused: readonly { point: SeriesRow; reason: string }[]): void {
    this.through = through;
    this.refused.push(...refused);
    this.advances++;
  }
  tags(): ReadonlyMap<MeterId, MeterTags> {
    return this.meters;
  }
  fileUnder(meters: ReadonlyMap<MeterId, MeterTags>): void {
    for (const [meter, tags] of meters) this.meters.set(meter, tags);
  }
}

export interface Entry {
  readonly level: string;
  readonly fields: object;
  readonly message: string;
}

export function memoryLogger(): Logger & { readonly entries: Entry[] } {
  const entries: Entry[] = [];
  const log = (level: string) => (fields: object, message: string) => {
    entries.push({ level, fields, message });
  };
  return { entries, debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') };
}

/** A time series that fails or refuses as a test demands; stores by meter, time and tags, as the server does. */
export class FakeSeries implements TimeSeries {
  readonly stored = new Map<string, SeriesRow>();
  /** Actions of the next writes, first to last; a write without an action stores. */
  readonly next: (() => void)[] = [];
  writes = 0;
  /** Stores, then fails: the acknowledgement is lost. */
  async write(points: readonly SeriesRow[]): Promise<void> {
    this.writes++;
    for (const p of points) this.stored.set(`${p.meterId} ${p.timeMs} ${p.zone} ${p.role} ${p.source}`, p);
    this.next.shift()?.();
  }
  async range(): Promise<SeriesRow[]> {
    return [];
  }
  async close(): Promise<void> {}
}

export interface Request {
  readonly lines: string[];
  readonly headers: IncomingMessage['headers'];
}

/** An HTTP server in place of InfluxDB; `answer` decides the answer to each write. */
export async function fakeServer(answer: (request: Request, response: ServerResponse) => void) {
  const requests: Request[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      const bytes = Buffer.concat(chunks);
      const body = request.headers['content-encoding'] === 'gzip' ? gunzipSync(bytes) : bytes;
      const seen = { lines: body.toString('utf8').split('\n'), headers: request.headers };
      requests.push(seen);
      answer(seen, response);
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const url = `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`;
  return {
    url,
    requests,
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Ends a response with an error in the server's words. */
export function say(
  response: ServerResponse,
  status: number,
  message = '',
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', ...headers });
  response.end(status === 204 ? undefined : JSON.stringify({ code: 'x', message }));
}
