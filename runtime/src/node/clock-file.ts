import { statSync } from 'node:fs';
import { parseSimulatedClock, realTimeOf, type SimulatedClock, simulatedNow } from '@gridtokenx/protocol';
import { type Clock, ClockSource, type ReadingClock } from '../core/clock.js';
import { errorText } from '../core/error-text.js';
import type { Logger } from '../core/logger.js';
import { OperatorError } from '../core/operator-error.js';
import { readRegularFile } from './regular-file.js';

/** Bounds how often the clock reads the file, in real milliseconds. */
const LOOK_MS = 200;
/** Two processes may have read the file at different instants. */
const UNCERTAINTY_MS = 1_000;

/** Reads the clock's file. Both methods throw the system's error. */
export interface ClockFileAccess {
  /** Returns a text that changes whenever the file may have changed. */
  stamp(path: string): string;
  read(path: string): string;
}

/** Reads the file on disk. */
export const nodeClockFile: ClockFileAccess = {
  stamp: (path) => {
    const { mtimeMs, ino, size } = statSync(path);
    return `${mtimeMs}/${ino}/${size}`;
  },
  read: (path) => readRegularFile(path).toString('utf8'),
};

/**
 * The simulated clock in the file that the launcher writes, read again every 200 ms of real time. While the file cannot be
 * read, the last good content holds: for a moment there may be half a file, or none.
 */
export class SimulatedClockFile implements ReadingClock {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #log: Pick<Logger, 'warn'> | undefined;
  readonly #access: ClockFileAccess;
  #content: SimulatedClock;
  #stamp: string;
  #checkedAtMs: number;
  #isFailing = false;

  /** Reads the file once. Throws `OperatorError` when it is missing or holds no clock. */
  constructor(path: string, clock: Clock, access: ClockFileAccess, log?: Pick<Logger, 'warn'>) {
    this.#path = path;
    this.#clock = clock;
    this.#log = log;
    this.#access = access;
    try {
      this.#stamp = access.stamp(path);
      this.#content = parseSimulatedClock(access.read(path));
    } catch (cause) {
      const why = (cause as NodeJS.ErrnoException).code ?? errorText(cause);
      const problem = `the simulated clock cannot be read (${why})`;
      throw new OperatorError(
        { code: 'clock-file', file: path, problem, advice: 'correct clock.simulated' },
        { cause },
      );
    }
    this.#checkedAtMs = clock.monotonicMs();
  }

  /** Returns the clock as last read. */
  current(): SimulatedClock {
    const now = this.#clock.monotonicMs();
    if (now - this.#checkedAtMs < LOOK_MS) return this.#content;
    this.#checkedAtMs = now;
    try {
      const stamp = this.#access.stamp(this.#path);
      if (stamp !== this.#stamp) this.#content = parseSimulatedClock(this.#access.read(this.#path));
      this.#stamp = stamp;
      this.#isFailing = false;
    } catch (err) {
      if (!this.#isFailing) {
        const fields = { event: 'simulated_clock_unreadable', err };
        this.#log?.warn(fields, 'Cannot read the simulated clock: the last one stays in force');
      }
      this.#isFailing = true;
    }
    return this.#content;
  }

  nowMs(): number {
    return simulatedNow(this.current(), this.#clock.nowMs());
  }
  /** The simulated clock is set by nobody, so it is its own steady time. */
  steadyMs(): number {
    return this.nowMs();
  }
  source(): ClockSource {
    return ClockSource.simulated;
  }
  uncertaintyMs(): number {
    return UNCERTAINTY_MS;
  }
  realTimeOf(readingMs: number): number {
    return realTimeOf(this.current(), readingMs);
  }
  realDelayUntil(readingMs: number): number {
    const clock = this.current();
    // The reservation stops the clock; it continues when the launcher writes the file again.
    if (readingMs > clock.reservedThroughMs) return LOOK_MS;
    return Math.max(0, realTimeOf(clock, readingMs) - this.#clock.nowMs());
  }
}

/** Returns a reading clock of the machine's own time, with unknown uncertainty. */
export function systemReadingClock(clock: Pick<Clock, 'nowMs' | 'monotonicMs'>): ReadingClock {
  return {
    nowMs: () => clock.nowMs(),
    steadyMs: () => clock.monotonicMs(),
    source: () => ClockSource.none,
    uncertaintyMs: () => null,
    realTimeOf: (readingMs) => readingMs,
    realDelayUntil: (readingMs) => Math.max(0, readingMs - clock.nowMs()),
  };
}
