import type { Logger, RealClock, TimeSeries } from '../ports.js';
import type { Ledger } from './ledger.js';

const BATCH = 1_000;
const GATHER_MS = 200;
const LONGEST_WAIT_MS = 30_000;

/**
 * Carries verified readings from the ledger's outbox to the time series. The outbox is cleared after the write, and a
 * point written twice is the same point: so nothing is lost or doubled while either side is away.
 */
export class Projector {
  readonly #ledger: Ledger;
  readonly #series: TimeSeries;
  readonly #realClock: RealClock;
  readonly #logger: Logger;
  #timer: (() => void) | null = null;
  #running: Promise<void> | null = null;
  #failures = 0;
  #failure: string | null = null;
  #isStopped = false;

  /** Why the time series does not move, in words; null when it does. */
  get problem(): string | null {
    return this.#failures === 0 ? null : (this.#failure ?? 'it cannot be written');
  }

  constructor(ledger: Ledger, series: TimeSeries, realClock: RealClock, logger: Logger) {
    this.#ledger = ledger;
    this.#series = series;
    this.#realClock = realClock;
    this.#logger = logger;
  }

  /** There may be something in the outbox. */
  wake(): void {
    if (this.#isStopped || this.#timer || this.#running) return;
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
        const { through, points } = this.#ledger.outbox(BATCH);
        if (through === 0) break;
        if (points.length > 0) await this.#series.write(points);
        this.#ledger.clearOutbox(through);
      }
      this.#failures = 0;
    } catch (error) {
      this.#failure = error instanceof Error ? error.message : String(error);
      if (this.#failures++ === 0) this.#logger.warn({ err: error }, 'the time series cannot be written: trying again');
    }
  }
}
