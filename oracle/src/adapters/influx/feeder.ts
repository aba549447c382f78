import type { MeterId } from '@gridtokenx/protocol';
import { BackOff, type Clock, type Logger, type Random } from '@gridtokenx/runtime/core';
import type { FeedRecord, MeterTags, ReadingSource, RefusedRow, TimeSeries } from '../../domain/live/ports.js';
import { writeAround } from '../../domain/live/series-write.js';
import type { SeriesRow } from '../../domain/ports.js';
import { RowsRefused, SeriesSetupRefused, SeriesUnavailable } from './errors.js';

export interface FeedState {
  readonly cursor: number;
  /** Points written since the start of this process. */
  readonly written: number;
  readonly refused: number;
  /** Consecutive failures; 0 when the last write succeeded. */
  readonly failures: number;
  /** The problem in plain words; null without one. */
  readonly problem: string | null;
}

export interface FeederDeps {
  readonly source: ReadingSource;
  readonly record: FeedRecord;
  readonly series: TimeSeries;
  readonly clock: Clock;
  readonly randomness: Random;
  readonly logger: Logger;
  /** Maximum number of points in memory. */
  readonly batch: number;
}

const GATHER_MS = 200;
/**
 * The delay doubles with every failure and is spread at random, so that many oracles do not reconnect at the same
 * moment.
 */
const AGAIN = { initialMs: 500, maxMs: 60_000 };
/** A person corrects the set-up, so frequent retries would not help. */
const AFTER_MENDING = { initialMs: AGAIN.maxMs, maxMs: AGAIN.maxMs };
const LONGEST_ASKED_MS = 600_000;
/**
 * Splits a batch after so many consecutive failures: one row may make the server fail while it would store the others.
 */
const SPLIT_AFTER = 3;

/**
 * Follows the ledger's verified readings and writes them to a time series at least once. A repeated write stores the
 * same point. The cursor moves only after the server acknowledged the write. While the server is away nothing
 * accumulates here: the feeder reads the next batch only after this batch is stored. Refused points are recorded by
 * name and skipped.
 */
export class TimeSeriesFeeder {
  readonly #deps: FeederDeps;
  readonly #again: BackOff;
  readonly #afterMending: BackOff;
  readonly #tags: Map<MeterId, MeterTags>;
  #cursor: number;
  #written = 0;
  #refused = 0;
  #failures = 0;
  /** True when the last failure was a set-up that a person has to correct. */
  #isSetup = false;
  /** True after the feeder found a bad row: it then splits batches without waiting for failures. */
  #hasSplit = false;
  #good: SeriesRow | null = null;
  #stallBeganAtMs: number | null = null;
  #problem: string | null = null;
  /** True once the record covers everything that an earlier process may have written. */
  #isCaughtUp = false;
  #timer: (() => void) | null = null;
  #running: Promise<void> | null = null;
  #isStopping = false;
  #isClosed = false;

  /** Throws when the record cannot be read. */
  constructor(deps: FeederDeps) {
    this.#deps = deps;
    this.#again = new BackOff(AGAIN, deps.randomness);
    this.#afterMending = new BackOff(AFTER_MENDING, deps.randomness);
    this.#cursor = deps.record.cursor();
    this.#tags = new Map(deps.record.tags());
  }

  /** Announces that there may be new readings. Never shortens the delay after a failure. */
  wake(): void {
    if (this.#isStopping || this.#timer || this.#running !== null) return;
    this.#schedule(GATHER_MS);
  }

  /** Returns why the feed does not progress, in plain words; null without a problem. */
  get stalled(): string | null {
    if (this.#stallBeganAtMs === null) return null;
    const seconds = Math.round((this.#deps.clock.nowMs() - this.#stallBeganAtMs) / 1_000);
    return `the time series has not been written for ${seconds} s: ${this.#problem}`;
  }

  state(): FeedState {
    const { problem, failures } = { problem: this.#problem, failures: this.#failures };
    return { cursor: this.#cursor, written: this.#written, refused: this.#refused, failures, problem };
  }

  /**
   * Writes the remaining points within `graceMs` (real time). The next start writes those that are not written by then.
   */
  async stop(graceMs: number): Promise<void> {
    this.#isStopping = true;
    this.#timer?.();
    this.#timer = null;
    const isWell = this.#failures === 0;
    const left = (this.#running ?? Promise.resolve()).then(() => (isWell ? this.#run() : undefined));
    let cancel = () => {};
    const grace = new Promise<void>((resolve) => {
      cancel = this.#deps.clock.after(graceMs, resolve);
    });
    await Promise.race([left, grace]);
    cancel();
    // From here on the feeder records no acknowledgement, because the ledger is closing. The next start writes those
    // points again.
    this.#isClosed = true;
  }

  #schedule(ms: number): void {
    this.#timer = this.#deps.clock.after(ms, () => {
      this.#timer = null;
      this.#running = this.#run().finally(() => {
        this.#running = null;
      });
    });
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    try {
      await this.#drain();
      if (this.#failures > 0)
        this.#deps.logger.info({ event: 'series_write_recovered' }, 'The time series accepts rows again');
      this.#failures = 0;
      this.#again.reset();
      this.#problem = null;
      this.#stallBeganAtMs = null;
    } catch (error) {
      if (this.#isClosed) return;
      const { message } = error as Error;
      if (message !== this.#problem)
        this.#deps.logger.warn({ event: 'series_write_failed', problem: message }, 'Cannot write the time series');
      this.#failures++;
      this.#isSetup = error instanceof SeriesSetupRefused;
      this.#stallBeganAtMs ??= this.#deps.clock.nowMs();
      this.#problem = message;
      if (!this.#isStopping) this.#schedule(this.#wait(error));
    }
  }

  async #drain(): Promise<void> {
    const { source, record } = this.#deps;
    while (!this.#isClosed) {
      const { through, points } = source.readingsAfter(this.#cursor, this.#deps.batch);
      if (through <= this.#cursor) {
        this.#isCaughtUp = true;
        return;
      }
      const refused = await this.#store(this.#filed(points));
      if (this.#isClosed) return;
      record.advance(through, refused);
      this.#cursor = through;
      this.#written += points.length - refused.length;
      this.#refused += refused.length;
      if (this.#failures > 0) this.#failures = 1;
      this.#again.reset();
      this.#stallBeganAtMs = null;
      if (refused.length > 0) {
        const { reason, point } = refused[0] as RefusedRow;
        const first = { meter: point.meterId, time_ms: point.timeMs, reason };
        this.#deps.logger.warn(
          { event: 'series_rows_refused', refused: refused.length, first },
          'The time series refused readings',
        );
      }
    }
  }

  async #store(points: readonly SeriesRow[]): Promise<readonly RefusedRow[]> {
    if (points.length === 0) return [];
    const refused: RefusedRow[] = [];
    const write = async (part: readonly SeriesRow[]): Promise<void> => {
      try {
        await this.#deps.series.write(part);
      } catch (error) {
        if (!(error instanceof RowsRefused)) throw error;
        refused.push(...error.refused);
      }
    };
    const isStuck = (this.#failures >= SPLIT_AFTER || this.#hasSplit) && !this.#isSetup;
    if (!isStuck) await write(points);
    else refused.push(...(await this.#split(write, points)));
    const bad = new Set(refused.map(({ point }) => point));
    this.#good = points.findLast((point) => !bad.has(point)) ?? this.#good;
    return refused;
  }

  /**
   * Splits a batch only after a single point has shown that the server accepts writes. So the feeder sends one request
   * while the server is away.
   */
  async #split(
    write: (part: readonly SeriesRow[]) => Promise<void>,
    points: readonly SeriesRow[],
  ): Promise<readonly RefusedRow[]> {
    const probe = this.#good ?? points[this.#failures % points.length] ?? null;
    if (probe) await write([probe]);
    const { refused } = await writeAround({ write }, points, probe);
    this.#hasSplit ||= refused.length > 0;
    return refused;
  }

  /**
   * Returns points with the tags that are recorded for their meter. A point overwrites only a point with the same tags.
   * If a meter changed its zone between an unrecorded write and its repetition, the point would exist twice. So the
   * feeder records new tags before it uses them. Changed tags wait until no unrecorded write can have used the old
   * tags.
   */
  #filed(points: readonly SeriesRow[]): SeriesRow[] {
    const changed = new Map<MeterId, MeterTags>();
    for (const { meterId, zone, role, source } of points) {
      const known = this.#tags.get(meterId);
      if (known && (!this.#isCaughtUp || this.#failures > 0)) continue;
      if (known?.zone === zone && known.role === role && known.source === source) continue;
      changed.set(meterId, { zone, role, source });
    }
    if (changed.size > 0) {
      this.#deps.record.fileUnder(changed);
      for (const [meterId, tags] of changed) this.#tags.set(meterId, tags);
    }
    return points.map((point) => ({ ...point, ...this.#tags.get(point.meterId) }));
  }

  /** Returns real ms to the next attempt: the delay that the server requested, within bounds. */
  #wait(error: unknown): number {
    const wait = (error instanceof SeriesSetupRefused ? this.#afterMending : this.#again).next();
    const asked = error instanceof SeriesUnavailable ? Math.min(error.retryAfterMs, LONGEST_ASKED_MS) : 0;
    return Math.max(wait, asked);
  }
}
