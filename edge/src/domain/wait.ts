import type { ReadingClock, RealTime } from './ports.js';

/** A clock may be stepped, or reserved further, at any moment: look again at least this often, in real milliseconds. */
const LOOK_MS = 250;

/** Waits `delayMs` of real time, or until aborted. */
export function pause(real: RealTime, delayMs: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const end = () => {
      cancel();
      signal.removeEventListener('abort', end);
      resolve();
    };
    const cancel = real.schedule(delayMs, end);
    signal.addEventListener('abort', end);
  });
}

/** Waits until the reading clock shows `timeMs` (never a moment before), or until aborted. */
export async function waitUntil(
  clock: ReadingClock,
  real: RealTime,
  timeMs: number,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted && clock.nowMs() < timeMs) {
    await pause(real, Math.min(LOOK_MS, Math.max(1, Math.ceil(clock.realDelayUntil(timeMs)))), signal);
  }
}
