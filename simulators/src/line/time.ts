/** The clock of a simulated line, so that tests and campaigns can play it without waiting. Milliseconds. */
export interface LineTime {
  /** Monotonic; where it begins says nothing. */
  nowMs(): number;
  /** Calls once, `delayMs` from now; what is returned takes that back. */
  after(delayMs: number, call: () => void): () => void;
}

/** The machine's own clock; timers are as fine as Node's, one millisecond. */
export const realTime: LineTime = {
  nowMs: () => performance.now(),
  after(delayMs, call) {
    const timer = setTimeout(call, Math.max(0, delayMs));
    return () => clearTimeout(timer);
  },
};
