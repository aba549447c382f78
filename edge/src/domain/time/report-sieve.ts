import type { NtpReport } from './disciplined-clock.js';

/** Time between a synchronisation and the step that it made, ms. */
const SLACK_MS = 5_000;
/** Rounding of the age of a synchronisation, ms. */
const ROUNDING_MS = 1_000;
/** A step up to this one may hide in the age of a synchronisation shortly before it, ms. */
const SMALL_STEP_MS = 30_000;

/**
 * Decides which reports of a daemon are about the machine's clock as it stands. Somebody may have stepped that clock since
 * the daemon synchronised it; or the daemon itself made the step.
 */
export class ReportSieve {
  /** The stamp of the last report. */
  #stamp: string | null = null;
  /** True while the last report was about the clock as it was before a step. */
  #isStale = false;
  #doubtMs = 0;
  /** The steps since the last report, and the monotonic time after which they happened; null for none. */
  #step: { readonly fromMs: number; readonly byMs: number } | null = null;

  /** Records a step of the machine's clock after the monotonic time `fromMs`. */
  stepped(byMs: number, fromMs: number): void {
    const before = this.#step;
    this.#step = { fromMs: before?.fromMs ?? fromMs, byMs: (before?.byMs ?? 0) + Math.abs(byMs) };
  }

  /** Returns the ms by which a report may be wrong beside its own error; null for a report that counts for nothing. */
  doubtOf({ stamp, ageMs }: NtpReport, steadyMs: number): number | null {
    const step = this.#step;
    this.#step = null;
    if (stamp === this.#stamp) {
      if (step) this.#isStale = true;
      return this.#isStale ? null : this.#doubtMs;
    }
    this.#stamp = stamp;
    // A synchronisation ahead of the clock: it was set back since. One from before the step is not about this clock.
    this.#isStale = !(ageMs >= -ROUNDING_MS) || (step !== null && ageMs > steadyMs - step.fromMs + SLACK_MS);
    this.#doubtMs = step && step.byMs <= SMALL_STEP_MS ? step.byMs : 0;
    return this.#isStale ? null : this.#doubtMs;
  }
}
