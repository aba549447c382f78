import type { RealTime } from '../../domain/ports.js';

/** The machine's own time. */
export const realTime: RealTime = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  schedule: (delayMs, call) => {
    const timer = setTimeout(call, delayMs);
    return () => clearTimeout(timer);
  },
};
