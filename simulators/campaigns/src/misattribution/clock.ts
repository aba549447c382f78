import type { RealTime } from '#edge/ports.js';

interface Timer {
  readonly at: number;
  readonly order: number;
  readonly call: () => void;
  isOff: boolean;
}

/** A clock on which a day of polls takes a second: timers in order, and everything between them without time passing. */
export class EventClock implements RealTime {
  #now = 0;
  #order = 0;
  readonly #timers: Timer[] = [];

  nowMs(): number {
    return this.#now;
  }
  monotonicMs(): number {
    return this.#now;
  }
  schedule(delayMs: number, call: () => void): () => void {
    const timer: Timer = { at: this.#now + Math.max(0, delayMs), order: this.#order++, call, isOff: false };
    let i = this.#timers.length;
    // Sorted with the next one last; few timers wait at any moment.
    while (i > 0 && isBefore(this.#timers[i - 1] as Timer, timer)) i--;
    this.#timers.splice(i, 0, timer);
    return () => {
      timer.isOff = true;
    };
  }

  /** Lets time pass until `done` has settled. Throws when nothing is left to happen. */
  async run<T>(done: Promise<T>): Promise<T> {
    let isOver = false;
    const end = () => {
      isOver = true;
    };
    done.then(end, end);
    await settled();
    while (!isOver) {
      const next = this.#timers.pop();
      if (!next) throw new Error('nothing is left to happen, and what is waited for has not');
      if (next.isOff) continue;
      this.#now = Math.max(this.#now, next.at);
      next.call();
      await settled();
    }
    return done;
  }
}

const isBefore = (a: Timer, b: Timer) => a.at < b.at || (a.at === b.at && a.order < b.order);

/** Every promise that can settle without time passing has done so: this comes behind the whole microtask queue. */
const settled = () => new Promise<void>((resolve) => setImmediate(resolve));
