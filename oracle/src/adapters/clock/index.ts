import { randomBytes } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { parseSimulatedClock, realTimeOf, type SimulatedClock, simulatedNow } from '@gridtokenx/protocol';
import type { Clock, Logger, Randomness, RealClock } from '../../domain/ports.js';

export const systemRealClock: RealClock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, callback) {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};

export const systemRandomness: Randomness = {
  bytes: (length) => new Uint8Array(randomBytes(length)),
  fraction: () => Math.random(),
};

/** A reading clock, with the real time at which it reaches an instant. */
export interface ReadingClock extends Clock {
  realTimeOf(readingMs: number): number;
}

export const systemClock: ReadingClock = { now: () => Date.now(), realTimeOf: (ms) => ms };

const LOOK_AGAIN_MS = 200;

/**
 * The simulated clock in a file, looked at again when it changed. While it cannot be read the last good content holds.
 * Throws when there is none at the first look.
 */
export function simulatedClock(path: string, real: RealClock, logger: Logger): ReadingClock {
  let content: SimulatedClock = parseSimulatedClock(readFileSync(path, 'utf8'));
  let version = versionOf(path);
  let looked = real.monotonic();
  let isFailing = false;
  const current = (): SimulatedClock => {
    if (real.monotonic() - looked < LOOK_AGAIN_MS) return content;
    looked = real.monotonic();
    try {
      const found = versionOf(path);
      if (found !== version) content = parseSimulatedClock(readFileSync(path, 'utf8'));
      version = found;
      isFailing = false;
    } catch (error) {
      if (!isFailing) logger.warn({ err: error }, 'the simulated clock cannot be read: the last one holds');
      isFailing = true;
    }
    return content;
  };
  return {
    now: () => simulatedNow(current(), real.now()),
    realTimeOf: (ms) => realTimeOf(current(), ms),
  };
}

function versionOf(path: string): string {
  const { mtimeMs, ino, size } = statSync(path);
  return `${mtimeMs}/${ino}/${size}`;
}
