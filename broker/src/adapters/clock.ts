import type { Clock } from '../ports.js';

/** Longest delay that Node's timers take; a token lives shorter. */
const MAX_DELAY_MS = 2 ** 31 - 1;

/** Real time. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after: (ms, task) => {
    const timer = setTimeout(task, Math.min(ms, MAX_DELAY_MS));
    timer.unref();
    return () => clearTimeout(timer);
  },
};
