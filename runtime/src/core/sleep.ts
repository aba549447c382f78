import type { Clock, ReadingClock } from './clock.js';

/** A reading clock may be stepped, or reserved further, at any moment: look again at least this often, real milliseconds. */
const LOOK_MS = 250;

/** Resolves after `ms` of real time, or as soon as `signal` aborts. Never rejects: look at the signal afterwards. */
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

/** Resolves when the reading clock shows `readingMs`, never a moment before, or as soon as `signal` aborts. */
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

/**
 * Settles as `step` does, or rejects with `late()` after `ms` of real time. It does not stop the step: `late` does what is
 * needed for that.
 */
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
