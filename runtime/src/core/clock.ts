/** Real time: time-outs, back-off, sign-in, acknowledgements. It never follows simulated time. */
export interface Clock {
  /** Milliseconds since 1970, UTC. The value steps when somebody sets the machine's clock. */
  nowMs(): number;
  /** Milliseconds that never step or fall; their zero has no meaning. */
  monotonicMs(): number;
  /** Calls `task` once after `ms` (below 0 counts as 0). Call the result to cancel; a second call does nothing. */
  after(ms: number, task: () => void): () => void;
}

/** Sources of a reading clock's time. Stable numbers: `detail` of the clock events of the wire format. */
export const ClockSource = { none: 0, timesyncd: 1, oracle: 2, simulated: 3, chrony: 4 } as const;
export type ClockSource = (typeof ClockSource)[keyof typeof ClockSource];

/**
 * The clock that drives readings and windows: the machine's own, or the simulated one. Milliseconds since 1970, UTC.
 * Never use it for time-outs.
 */
export interface ReadingClock {
  nowMs(): number;
  /**
   * Milliseconds at the speed of this clock, which no setting of the clock changes; their zero has no meaning. Differences
   * within one run bound what a connection can have carried.
   */
  steadyMs(): number;
  source(): ClockSource;
  /** Bounds the error of `nowMs`, in milliseconds; null when unknown. */
  uncertaintyMs(): number | null;
  /** Real milliseconds until this clock should show `readingMs`; at least 0, and an estimate while the clock does not run. */
  realDelayUntil(readingMs: number): number;
  /** Real milliseconds since 1970 at which this clock shows, or showed, `readingMs` if it runs until then. */
  realTimeOf(readingMs: number): number;
}
