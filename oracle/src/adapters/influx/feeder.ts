import type { MeterId } from '@gridtokenx/protocol';
import { BackOff, type Clock, type Logger, type Random } from '@gridtokenx/runtime/core';
import type { FeedRecord, MeterTags, ReadingSource, RefusedPoint, TimeSeries } from '../../domain/live/ports.js';
import { writeAround } from '../../domain/live/series-write.js';
import type { SeriesRow } from '../../domain/ports.js';
import { PointsRefused, SeriesSetupRefused, SeriesUnavailable } from './errors.js';

export interface FeedState {
  readonly cursor: number;
  /** Since the start of this process. */
  readonly written: number;
  readonly refused: number;
  /** Failures in a row; 0 when all is well. */
  readonly failures: number;
  /** Plain words; null when all is well. */
  readonly problem: string | null;
}

export interface FeederDeps {
  readonly source: ReadingSource;
  readonly record: FeedRecord;
  readonly series: TimeSeries;
  readonly clock: Clock;
  readonly randomness: Random;
  readonly logger: Logger;
  /** Points in memory at a time. */
  readonly batch: number;
}

const GATHER_MS = 200;
/** Doubles with every failure, spread: many oracles do not come back in the same moment. */
const AGAIN = { initialMs: 500, maxMs: 60_000 };
/** A person mends the set-up: asking often would not make that faster. */
const AFTER_MENDING = { initialMs: AGAIN.maxMs, maxMs: AGAIN.maxMs };
const LONGEST_ASKED_MS = 600_000;
/** A batch that failed so often in a row is split: one row may make the server fail, where others would be stored. */
const SPLIT_AFTER = 3;

/**
 * Follows the ledger's verified readings and writes them to a time series: at least once, and a point written twice is
 * the same point. The cursor moves only after the write was acknowledged; while the server is away nothing piles up
 * here, because the next batch is not read before this one is stored. Refused points are kept by name and passed over.
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
  /** Whether the last failure was one that a person has to mend. */
  #isSetup = false;
  /** A bad row was found before: the next one is not waited for so long. */
  #hasSplit = false;
  #good: SeriesRow | null = null;
  #stallBeganAtMs: number | null = null;
  #problem: string | null = null;
  /** Everything that an earlier process may have written without recording it is recorded by now. */
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

  /** There may be something new. Never shortens the wait after a failure. */
  wake(): void {
    if (this.#isStopping || this.#timer || this.#running !== null) return;
    this.#schedule(GATHER_MS);
  }

  /** Why the time series does not go on, plain words; null when all is well. */
  get stalled(): string | null {
    if (this.#stallBeganAtMs === null) return null;
    const seconds = Math.round((this.#deps.clock.nowMs() - this.#stallBeganAtMs) / 1_000);
    return `the time series has not been written for ${seconds} s: ${this.#problem}`;
  }

  state(): FeedState {
    const { problem, failures } = { problem: this.#problem, failures: this.#failures };
    return { cursor: this.#cursor, written: this.#written, refused: this.#refused, failures, problem };
  }

  /** Writes what is left if that takes no longer than `graceMs` (real); what is not written comes after the next start. */
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
    // An acknowledgement from now on is not recorded: the ledger is being closed. It is written again then.
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
        const { reason, point } = refused[0] as RefusedPoint;
        const first = { meter: point.meterId, time_ms: point.timeMs, reason };
        this.#deps.logger.warn(
          { event: 'series_rows_refused', refused: refused.length, first },
          'The time series refused readings',
        );
      }
    }
  }

  async #store(points: readonly SeriesRow[]): Promise<readonly RefusedPoint[]> {
    if (points.length === 0) return [];
    const refused: RefusedPoint[] = [];
    const write = async (part: readonly SeriesRow[]): Promise<void> => {
      try {
        await this.#deps.series.write(part);
      } catch (error) {
        if (!(error instanceof PointsRefused)) throw error;
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

  /** Splits a batch once a single point shows that the server takes something: one request while it is away. */
  async #split(
    write: (part: readonly SeriesRow[]) => Promise<void>,
    points: readonly SeriesRow[],
  ): Promise<readonly RefusedPoint[]> {
    const probe = this.#good ?? points[this.#failures % points.length] ?? null;
    if (probe) await write([probe]);
    const { refused } = await writeAround({ write }, points, probe);
    this.#hasSplit ||= refused.length > 0;
    return refused;
  }

  /**
   * Points with the tags that their meter is filed under. A point overwrites only one with the same tags: were a meter
   * to change its zone between a write that was not recorded and its repetition, the point would be there twice. So
   * new tags are recorded before they are used, and changed ones wait until nothing may have been written under the
   * old ones and not recorded.
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

  /** Real ms to the next attempt: as long as the server asks, within reason. */
  #wait(error: unknown): number {
    const wait = (error instanceof SeriesSetupRefused ? this.#afterMending : this.#again).next();
    const asked = error instanceof SeriesUnavailable ? Math.min(error.retryAfterMs, LONGEST_ASKED_MS) : 0;
    return Math.max(wait, asked);
  }
}
