/** Ignores smaller corrections of a clock: readings and windows are judged to the minute. */
const MIN_STEP_MS = 1_000;

/** Notices that a clock went back. Until it catches up, it repeats times that it has already shown. */
export class BackwardClock {
  readonly #now: () => number;
  #latestSeenAtMs = Number.NEGATIVE_INFINITY;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Reads the clock; returns the problem in words, null without one. */
  check(): string | null {
    const now = this.#now();
    const backMs = this.#latestSeenAtMs - now;
    if (backMs < MIN_STEP_MS) {
      this.#latestSeenAtMs = Math.max(this.#latestSeenAtMs, now);
      return null;
    }
    const until = new Date(this.#latestSeenAtMs).toISOString().slice(0, 19);
    return `the clock went back by ${Math.round(backMs / 1_000)} s: it has shown ${until}Z before`;
  }
}
