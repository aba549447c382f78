import type { RealTime } from '#edge/domain/ports.js';

interface Timer {
  readonly at: number;
  readonly call: () => void;
  isOff: boolean;
}

/** A clock on which a day of polls takes a second: timers in order, and everything between them without time passing. */
export class EventClock implements RealTime {
  #now = 0;
  /** Sorted, the next one last. */
  readonly #timers: Timer[] = [];

  nowMs(): number {
    return this.#now;
  }
  monotonicMs(): number {
    return this.#now;
  }
  schedule(delayMs: number, call: () => void): () => void {
    const timer: Timer = { at: this.#now + Math.max(0, delayMs), call, isOff: false };
    let i = this.#timers.length;
    while (i > 0 && (this.#timers[i - 1] as Timer).at <= timer.at) i--;
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

const settled = () => new Promise<void>((resolve) => setImmediate(resolve));
