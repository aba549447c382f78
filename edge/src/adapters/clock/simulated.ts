import { readFileSync, statSync } from 'node:fs';
import { parseSimulatedClock, realTimeOf, type SimulatedClock, simulatedNow } from '@gridtokenx/protocol';
import { ClockSource, type ReadingClock } from '../../domain/ports.js';

const CHECK_MS = 200;
/** Two processes may have read the file at different moments. */
const UNCERTAINTY_MS = 1_000;

/**
 * The simulated clock from its file, which is looked at again every 200 ms of real time; what was read last stays when
 * a read fails. Throws at construction when the file is missing or wrong.
 */
export class FileClock implements ReadingClock {
  readonly #path: string;
  readonly #realNow: () => number;
  #clock: SimulatedClock;
  #stamp = '';
  #checkedAt = Number.NEGATIVE_INFINITY;

  constructor(path: string, realNow: () => number) {
    this.#path = path;
    this.#realNow = realNow;
    this.#clock = parseSimulatedClock(readFileSync(path, 'utf8'));
  }

  nowMs(): number {
    return simulatedNow(this.#current(), this.#realNow());
  }

  source(): ClockSource {
    return ClockSource.simulated;
  }

  uncertaintyMs(): number {
    return UNCERTAINTY_MS;
  }

  realDelayUntil(timeMs: number): number {
    const clock = this.#current();
    // Held by the reservation: it moves when the launcher writes the file again.
    if (timeMs > clock.reservedThroughMs) return CHECK_MS;
    return Math.max(0, realTimeOf(clock, timeMs) - this.#realNow());
  }

  #current(): SimulatedClock {
    const now = this.#realNow();
    if (Math.abs(now - this.#checkedAt) < CHECK_MS) return this.#clock;
    this.#checkedAt = now;
    try {
      const { mtimeMs, size, ino } = statSync(this.#path);
      const stamp = `${mtimeMs}/${size}/${ino}`;
      if (stamp === this.#stamp) return this.#clock;
      this.#clock = parseSimulatedClock(readFileSync(this.#path, 'utf8'));
      this.#stamp = stamp;
    } catch {
      // Half a file, or none for a moment: the next look finds the whole one.
    }
    return this.#clock;
  }
}
