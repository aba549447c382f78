import type { Clock, Logger } from '@gridtokenx/runtime/core';
import type { Ledger } from '../intake/ports.js';
import type { SeriesPoint } from '../ports.js';
import type { SetAside, TimeSeries } from './ports.js';
import { writeAround } from './series-write.js';

const BATCH = 1_000;
/** After failures more is looked at, for a row that the store takes. */
const MAX_BATCH = 16_000;
const GATHER_MS = 200;
const LONGEST_WAIT_MS = 30_000;

/**
 * Carries verified readings from the ledger's outbox to the time series. The outbox is cleared after the write, and a
 * point written twice is the same point: so nothing is lost or doubled while either side is away. A row that the store does
 * not take is set aside with the reason, and holds up no other.
 */
export class Projector {
  readonly #ledger: Pick<Ledger, 'outbox' | 'clearOutbox'>;
  readonly #series: TimeSeries;
  readonly #setAside: SetAside;
  readonly #realClock: Clock;
  readonly #logger: Logger;
  #timer: (() => void) | null = null;
  #running: Promise<void> | null = null;
  #good: SeriesPoint | null = null;
  #failures = 0;
  #stalledSinceMs: number | null = null;
  #reason = '';
  #isStopped = false;

  constructor(
    ledger: Pick<Ledger, 'outbox' | 'clearOutbox'>,
    series: TimeSeries,
    setAside: SetAside,
    realClock: Clock,
    logger: Logger,
  ) {
    this.#ledger = ledger;
    this.#series = series;
    this.#setAside = setAside;
    this.#realClock = realClock;
    this.#logger = logger;
  }

  /** Why the time series does not go on, plain words; null when all is well. */
  get problem(): string | null {
    if (this.#stalledSinceMs === null) return null;
    const seconds = Math.round((this.#realClock.nowMs() - this.#stalledSinceMs) / 1_000);
    return `the time series has not been written for ${seconds} s: ${this.#reason}`;
  }

  /** There may be something in the outbox. */
  wake(): void {
    if (this.#isStopped || this.#timer || this.#running !== null) return;
    const wait = this.#failures === 0 ? GATHER_MS : Math.min(LONGEST_WAIT_MS, GATHER_MS * 2 ** this.#failures);
    this.#timer = this.#realClock.after(wait, () => {
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
        const { through, points } = this.#ledger.outbox(Math.min(MAX_BATCH, BATCH * 2 ** this.#failures));
        if (through === 0) break;
        if (points.length > 0) await this.#write(points);
        this.#ledger.clearOutbox(through);
        this.#isWell();
      }
      this.#isWell();
    } catch (error) {
      this.#reason = error instanceof Error ? error.message : String(error);
      this.#stalledSinceMs ??= this.#realClock.nowMs();
      if (this.#failures++ === 0) this.#logger.warn({ err: error }, 'the time series cannot be written: trying again');
    }
  }

  #isWell(): void {
    this.#failures = 0;
    this.#stalledSinceMs = null;
  }

  async #write(points: readonly SeriesPoint[]): Promise<void> {
    const { refused, good } = await writeAround(this.#series, points, this.#good);
    this.#good = good;
    const [first] = refused;
    if (!first) return;
    this.#setAside.add(refused);
    const shown = { refused: refused.length, meter: first.point.meterId, reason: first.reason };
    this.#logger.warn(shown, 'the time series does not take readings: set aside');
  }
}
