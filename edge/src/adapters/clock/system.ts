import { existsSync } from 'node:fs';
import { SYNCHRONISED_UNCERTAINTY_MS } from '@gridtokenx/protocol';
import { type Clock, ClockSource, type ReadingClock } from '@gridtokenx/runtime/core';

/** systemd-timesyncd makes this file when it has set the clock. */
const TIMESYNCD_FLAG = '/run/systemd/timesync/synchronized';
const TIMESYNCD_UNCERTAINTY_MS = 1_000;
/** A quartz drifts: 50 ppm, stated generously. */
const DRIFT = 100e-6;

/** True while systemd-timesyncd keeps the system's clock right. */
export const isKeptByTimesyncd = (): boolean => existsSync(TIMESYNCD_FLAG);

/**
 * The system's clock with a stated uncertainty: from timesyncd where it runs, else from the last signed answer of an
 * oracle (`proved`), widened by drift since; unknown until then [gateway §10.1].
 */
export class SystemClock implements ReadingClock {
  readonly #clock: Clock;
  readonly #isKept: () => boolean;
  #proof: { atMs: number; offsetMs: number; uncertaintyMs: number } | null = null;

  /** `isKept`: returns true while a daemon keeps the system's clock right. */
  constructor(clock: Clock, isKept: () => boolean) {
    this.#clock = clock;
    this.#isKept = isKept;
  }

  nowMs(): number {
    return this.#clock.nowMs();
  }

  steadyMs(): number {
    return this.#clock.monotonicMs();
  }

  uncertaintyMs(): number | null {
    if (this.#isKept()) return TIMESYNCD_UNCERTAINTY_MS;
    if (!this.#proof) return null;
    const sinceMs = this.#clock.monotonicMs() - this.#proof.atMs;
    // The answer was about the clock as it stood then: whoever stepped it since may have been wrong.
    const steppedMs = Math.abs(this.#offsetMs() - this.#proof.offsetMs);
    return Math.ceil(this.#proof.uncertaintyMs + sinceMs * DRIFT + steppedMs);
  }

  source(): ClockSource {
    if (this.#isKept()) return ClockSource.timesyncd;
    const uncertaintyMs = this.uncertaintyMs();
    const isProved = uncertaintyMs !== null && uncertaintyMs <= SYNCHRONISED_UNCERTAINTY_MS;
    return isProved ? ClockSource.oracle : ClockSource.none;
  }

  realDelayUntil(timeMs: number): number {
    return Math.max(0, timeMs - this.#clock.nowMs());
  }

  realTimeOf(timeMs: number): number {
    return timeMs;
  }

  /** An oracle's signed time differed from this clock by at most `uncertaintyMs`, the trip included. */
  proved(uncertaintyMs: number): void {
    this.#proof = { atMs: this.#clock.monotonicMs(), offsetMs: this.#offsetMs(), uncertaintyMs };
  }

  /** Changes only when the clock is stepped or slewed. */
  #offsetMs(): number {
    return this.#clock.nowMs() - this.#clock.monotonicMs();
  }
}
