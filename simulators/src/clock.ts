import { readFileSync, statSync } from 'node:fs';
import { parseSimulatedClock, positionAt, type SimulatedClock, simulatedNow } from '@gridtokenx/protocol';

/** Where the profile stands: milliseconds played, and whether it moves. Never falls, whoever restarts. */
export interface ProfilePosition {
  now(): { positionMs: number; moving: boolean };
}

/** Real milliseconds between two looks at the clock's file. */
const CHECK_MS = 200;

/**
 * The simulated clock read from its file, which is looked at again every 200 ms of real time; what was read last stays
 * when a read fails. Throws at construction when there is no usable file.
 */
export class ClockFile implements ProfilePosition {
  readonly #path: string;
  readonly #realNow: () => number;
  #clock: SimulatedClock;
  #stamp = '';
  #checkedAt = Number.NEGATIVE_INFINITY;

  constructor(path: string, realNow: () => number = Date.now) {
    this.#path = path;
    this.#realNow = realNow;
    this.#clock = parseSimulatedClock(readFileSync(path, 'utf8'));
  }

  /** The clock as last read. */
  current(): SimulatedClock {
    const now = this.#realNow();
    if (Math.abs(now - this.#checkedAt) >= CHECK_MS) {
      this.#checkedAt = now;
      this.#reload();
    }
    return this.#clock;
  }

  now(): { positionMs: number; moving: boolean } {
    const clock = this.current();
    const sim = simulatedNow(clock, this.#realNow());
    const positionMs = positionAt(clock, sim);
    return { positionMs, moving: positionAt(clock, sim + 1) > positionMs };
  }

  #reload(): void {
    try {
      const { mtimeMs, size, ino } = statSync(this.#path);
      const stamp = `${mtimeMs}/${size}/${ino}`;
      if (stamp === this.#stamp) return;
      this.#clock = parseSimulatedClock(readFileSync(this.#path, 'utf8'));
      this.#stamp = stamp;
    } catch {
      // Half a file, or none for a moment: the next look finds the whole one.
    }
  }
}
