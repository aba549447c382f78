import type { MeterId } from '@gridtokenx/protocol';
import { fluxDateTime, fluxString } from '@influxdata/influxdb-client';
import type { RefusedRow, TimeSeries } from '../../domain/live/ports.js';
import type { SeriesRow } from '../../domain/ports.js';
import { RowsRefused } from './errors.js';
import { FIELDS, LAST_MS, lineOf, MEASUREMENT, pointOf, Unwritable } from './line.js';
import { InfluxServer, type ServerOptions } from './server.js';

export interface InfluxOptions extends ServerOptions {
  /** Largest number of lines in one request. */
  readonly linesPerRequest: number;
}

interface Line {
  readonly text: string;
  readonly point: SeriesRow;
}

/**
 * Stores the time series on an InfluxDB 2 server. A line counts as stored only when the server answered its request
 * with 204. The server answers a partly refused request before it has written all good lines. So `write` finds the bad
 * lines by halving and writes the good lines again without them. `write` rejects with `PointsRefused` (all other points
 * are stored), `SeriesUnavailable` or `SeriesSetupRefused` (write all points again). `range` rejects with the last two.
 */
export class InfluxTimeSeries implements TimeSeries {
  readonly #server: InfluxServer;
  readonly #bucket: string;
  readonly #linesPerRequest: number;

  constructor(options: InfluxOptions) {
    this.#server = new InfluxServer(options);
    this.#bucket = options.bucket;
    this.#linesPerRequest = options.linesPerRequest;
  }

  async write(points: readonly SeriesRow[]): Promise<void> {
    const refused: RefusedRow[] = [];
    const lines: Line[] = [];
    for (const point of points) {
      try {
        lines.push({ text: lineOf(point), point });
      } catch (error) {
        if (!(error instanceof Unwritable)) throw error;
        refused.push({ point, reason: error.message });
      }
    }
    for (let at = 0; at < lines.length; at += this.#linesPerRequest) {
      await this.#put(lines.slice(at, at + this.#linesPerRequest), refused);
    }
    if (refused.length > 0) throw new RowsRefused(refused);
  }

  async #put(lines: readonly Line[], refused: RefusedRow[]): Promise<void> {
    if (lines.length === 0) return;
    const answer = await this.#server.write(lines.map(({ text }) => text).join('\n'));
    if (answer.kind === 'stored') return;
    const isAll = lines.length === 1 || (answer.kind === 'refused' && answer.dropped >= lines.length);
    if (isAll) {
      const reason = answer.kind === 'refused' ? answer.reason : 'larger than the server takes';
      for (const { point } of lines) refused.push({ point, reason });
      return;
    }
    const half = lines.length >> 1;
    await this.#put(lines.slice(0, half), refused);
    await this.#put(lines.slice(half), refused);
  }

  async range(meterId: MeterId, fromAtMs: number, untilMs: number, limit: number): Promise<SeriesRow[]> {
    // The server refuses an empty range.
    if (fromAtMs >= untilMs || limit <= 0) return [];
    const flux = `from(bucket: ${fluxString(this.#bucket)})
  |> range(start: ${time(fromAtMs)}, stop: ${time(untilMs)})
  |> filter(fn: (r) => r._measurement == ${fluxString(MEASUREMENT)} and r.meter == ${fluxString(meterId)})
  |> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")
  |> group()
  |> sort(columns: ["_time"])
  |> limit(n: ${limit})
  |> keep(columns: ["_time", "meter", "role", "source", "zone", ${FIELDS.map((field) => `"${field}"`).join(', ')}])`;
    return this.#server.query(flux, pointOf);
  }

  async close(): Promise<void> {
    this.#server.close();
  }
}

/** A time outside the server's range holds no points, so it is clamped. */
function time(ms: number): string {
  return fluxDateTime(new Date(Math.max(-LAST_MS, Math.min(LAST_MS, ms))).toISOString()).toString();
}
