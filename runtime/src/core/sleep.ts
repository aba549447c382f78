import type { Clock, ReadingClock } from './clock.js';

/**
 * Bounds the time between two checks of a reading clock, in real ms: it may step, or its reservation may grow, at any moment.
 */
const LOOK_MS = 250;

/** Resolves after `ms` of real time, or as soon as `signal` aborts. Never rejects: check the signal afterwards. */
export function sleep(clock: Pick<Clock, 'after'>, ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const end = () => {
      cancel();
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const cancel = clock.after(ms, end);
    signal?.addEventListener('abort', end);
  });
}

/** Resolves when the reading clock shows `readingMs`, never earlier, or as soon as `signal` aborts. */
export async function sleepUntil(
  reading: Pick<ReadingClock, 'nowMs' | 'realDelayUntil'>,
  clock: Pick<Clock, 'after'>,
  readingMs: number,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted && reading.nowMs() < readingMs) {
    const delayMs = Math.min(LOOK_MS, Math.max(1, Math.ceil(reading.realDelayUntil(readingMs))));
    await sleep(clock, delayMs, signal);
  }
}

/** Settles as `step` does, or rejects with `late()` after `ms` of real time. It does not stop the step: `late` must do so. */
export function within<T>(clock: Pick<Clock, 'after'>, ms: number, step: Promise<T>, late: () => Error): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(ms, () => reject(late()));
    step.then(
      (value) => {
        cancel();
        resolve(value);
      },
      (error: unknown) => {
        cancel();
        reject(error);
      },
    );
  });
}
