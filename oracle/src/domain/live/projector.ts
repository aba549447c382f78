import { BackOff, type Clock, errorText, type Logger, type Random } from '@gridtokenx/runtime/core';
import type { Ledger } from '../intake/ports.js';
import type { SeriesRow } from '../ports.js';
import type { SetAside, TimeSeries } from './ports.js';
import { writeAround } from './series-write.js';

const BATCH = 1_000;
/** After failures the projector reads more rows, to find one that the store accepts. */
const MAX_BATCH = 16_000;
const GATHER_MS = 200;
const AGAIN = { initialMs: 400, maxMs: 30_000 };

export interface ProjectorDeps {
  readonly ledger: Pick<Ledger, 'outbox' | 'clearOutbox'>;
  readonly series: TimeSeries;
  readonly setAside: SetAside;
  readonly clock: Clock;
  readonly random: Pick<Random, 'fraction'>;
  readonly logger: Logger;
}

/**
 * Carries verified readings from the ledger's outbox to the time series. The outbox is cleared after the write, and a
 * row written twice is the same row: so nothing is lost or doubled while either side is away. Quarantines a row that the
 * store rejects, with the reason; such a row delays no other.
 */
export class Projector {
  readonly #deps: ProjectorDeps;
  readonly #again: BackOff;
  #timer: (() => void) | null = null;
  #running: Promise<void> | null = null;
  #good: SeriesRow | null = null;
  #failures = 0;
  #stallBeganAtMs: number | null = null;
  #reason = '';
  #isStopped = false;

  constructor(deps: ProjectorDeps) {
    this.#deps = deps;
    this.#again = new BackOff(AGAIN, deps.random);
  }

  /** Why the time series does not go on, plain words; null when all is well. */
  get problem(): string | null {
    if (this.#stallBeganAtMs === null) return null;
    const seconds = Math.round((this.#deps.clock.nowMs() - this.#stallBeganAtMs) / 1_000);
    return `the time series has not been written for ${seconds} s: ${this.#reason}`;
  }

  /** There may be something in the outbox. */
  wake(): void {
    if (this.#isStopped || this.#timer || this.#running !== null) return;
    const wait = this.#failures === 0 ? GATHER_MS : this.#again.next();
    this.#timer = this.#deps.clock.after(wait, () => {
      this.#timer = null;
      this.#running = this.#drain().finally(() => {
        this.#running = null;
        if (this.#failures > 0) this.wake();
      });
    });
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.();
    await this.#running;
    await this.#drain();
  }

  async #drain(): Promise<void> {
    try {
      for (;;) {
        const { through, points } = this.#deps.ledger.outbox(Math.min(MAX_BATCH, BATCH * 2 ** this.#failures));
        if (through === 0) break;
        if (points.length > 0) await this.#write(points);
        this.#deps.ledger.clearOutbox(through);
        this.#isWell();
      }
      this.#isWell();
    } catch (error) {
      this.#reason = errorText(error);
      this.#stallBeganAtMs ??= this.#deps.clock.nowMs();
      if (this.#failures++ === 0)
        this.#deps.logger.warn(
          { event: 'series_write_retry', err: error },
          'Cannot write the time series: trying again',
        );
    }
  }

  #isWell(): void {
    this.#again.reset();
    this.#failures = 0;
    this.#stallBeganAtMs = null;
  }

  async #write(points: readonly SeriesRow[]): Promise<void> {
    const { refused, good } = await writeAround(this.#deps.series, points, this.#good);
    this.#good = good;
    const [first] = refused;
    if (!first) return;
    this.#deps.setAside.add(refused);
    const shown = { refused: refused.length, meter: first.point.meterId, reason: first.reason };
    this.#deps.logger.warn(
      { event: 'series_rows_quarantined', ...shown },
      'The time series rejects readings: the oracle quarantines them',
    );
  }
}
