import { randomBytes } from 'node:crypto';
import type { Clock } from '../core/clock.js';
import type { Random } from '../core/random.js';

/** Bounds the delay of Node's timers, 24.8 days. A longer one would run at once. */
const MAX_DELAY_MS = 2 ** 31 - 1;

/** The machine's own time. A timer keeps the process alive until it has run or is cancelled. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after: (ms, task) => afterReal(ms, task, (timer) => timer),
};

/** Runs `task` once after `ms` of real time, unless the process ends earlier: for tasks without a waiter. */
export function afterIdle(ms: number, task: () => void): () => void {
  return afterReal(ms, task, (timer) => timer.unref());
}

/** The system's randomness. */
export const systemRandom: Random = {
  bytes: (length) => new Uint8Array(randomBytes(length)),
  fraction: () => randomBytes(4).readUInt32LE() / 2 ** 32,
};

function afterReal(ms: number, task: () => void, hold: (timer: NodeJS.Timeout) => NodeJS.Timeout): () => void {
  let leftMs = Math.max(0, ms);
  let timer: NodeJS.Timeout;
  const arm = () => {
    const partMs = Math.min(leftMs, MAX_DELAY_MS);
    leftMs -= partMs;
    timer = hold(setTimeout(leftMs > 0 ? arm : task, partMs));
  };
  arm();
  return () => clearTimeout(timer);
}
