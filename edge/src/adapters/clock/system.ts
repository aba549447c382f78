import { existsSync } from 'node:fs';
import type { ReadingClock, RealTime } from '../../ports.js';

/** systemd-timesyncd makes this file when it has set the clock. */
const TIMESYNCD_FLAG = '/run/systemd/timesync/synchronized';
const TIMESYNCD_UNCERTAINTY_MS = 1_000;
/** A quartz drifts: 50 ppm, stated generously. */
const DRIFT = 100e-6;

/**
 * The system's clock with a stated uncertainty: from timesyncd where it runs, else from the last signed answer of an
 * oracle (`proved`), widened by drift since; unknown until then.
 */
export class SystemClock implements ReadingClock {
  readonly #real: RealTime;
  #proof: { atMs: number; uncertaintyMs: number } | null = null;

  constructor(real: RealTime) {
    this.#real = real;
  }

  nowMs(): number {
    return this.#real.nowMs();
  }

  uncertaintyMs(): number | null {
    if (existsSync(TIMESYNCD_FLAG)) return TIMESYNCD_UNCERTAINTY_MS;
    if (!this.#proof) return null;
    const sinceMs = this.#real.monotonicMs() - this.#proof.atMs;
    return Math.ceil(this.#proof.uncertaintyMs + sinceMs * DRIFT);
  }

  realDelayUntil(timeMs: number): number {
    return Math.max(0, timeMs - this.#real.nowMs());
  }

  /** An oracle's signed time differed from this clock by at most `uncertaintyMs`, the trip included. */
  proved(uncertaintyMs: number): void {
    this.#proof = { atMs: this.#real.monotonicMs(), uncertaintyMs };
  }
}
