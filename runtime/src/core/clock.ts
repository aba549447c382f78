/** Real time: time-outs, back-off, sign-in, acknowledgements. It never follows simulated time. */
export interface Clock {
  /** Milliseconds since 1970, UTC. It may step when somebody sets the machine's clock. */
  nowMs(): number;
  /** Milliseconds that never step or fall; their zero means nothing. */
  monotonicMs(): number;
  /** Calls `task` once after `ms` (below 0 counts as 0). Call the result to cancel; a second call does nothing. */
  after(ms: number, task: () => void): () => void;
}

/** Names where a reading clock's time comes from. Stable numbers: `detail` of the clock events of the wire format. */
export const ClockSource = { none: 0, timesyncd: 1, oracle: 2, simulated: 3 } as const;
export type ClockSource = (typeof ClockSource)[keyof typeof ClockSource];

/**
 * The clock that drives readings and windows: the machine's own, or the simulated one. Milliseconds since 1970, UTC.
 * Never use it for time-outs.
 */
export interface ReadingClock {
  nowMs(): number;
  source(): ClockSource;
  /** How wrong `nowMs` may be, in milliseconds; null where nobody knows. */
  uncertaintyMs(): number | null;
  /** Real milliseconds until this clock is expected to show `readingMs`; at least 0, and a guess where the clock stands. */
  realDelayUntil(readingMs: number): number;
  /** Real milliseconds since 1970 at which this clock shows, or showed, `readingMs` while nothing holds it. */
  realTimeOf(readingMs: number): number;
}
