import { type Clock, ClockSource, type ReadingClock } from '@gridtokenx/runtime/core';
import type { RealClock } from '#oracle/domain/ports.js';

interface Timer {
  readonly at: number;
  readonly order: number;
  readonly call: () => void;
  readonly owner: object;
}

/** Simulated seconds per second, as in the demonstration. */
const SPEED = 200;
const START_MS = Date.UTC(2026, 0, 1);

/** One virtual clock for all processes of a run. Timers belong to a process and die with it. */
export class SimulatedTime {
  #now = 0;
  #order = 0;
  #timers: Timer[] = [];

  get now(): number {
    return START_MS + this.#now;
  }
  get reading(): number {
    return START_MS + this.#now * SPEED;
  }

  #schedule(owner: object, delayMs: number, call: () => void): () => void {
    const timer = { at: this.#now + Math.max(0, Math.ceil(delayMs)), order: this.#order++, call, owner };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** What one process sees of time, as gateway and oracle want it. `end` is the process's death. */
  process(): { real: Clock; clock: ReadingClock; oracle: RealClock; end: () => void } {
    const owner = { isEnded: false };
    // The dead do not wait for anything: a timer set by what was left of one would bring it back to life.
    const schedule = (delayMs: number, call: () => void) =>
      owner.isEnded ? () => undefined : this.#schedule(owner, delayMs, call);
    return {
      real: {
        nowMs: () => this.now,
        monotonicMs: () => this.#now,
        after: schedule,
      },
      clock: {
        nowMs: () => this.reading,
        uncertaintyMs: () => 10,
        source: () => ClockSource.simulated,
        realDelayUntil: (timeMs) => Math.max(0, (timeMs - this.reading) / SPEED),
        realTimeOf: (timeMs) => this.now + (timeMs - this.reading) / SPEED,
      },
      oracle: {
        now: () => this.now,
        monotonic: () => this.#now,
        after: schedule,
      },
      end: () => {
        owner.isEnded = true;
        this.#timers = this.#timers.filter((timer) => timer.owner !== owner);
      },
    };
  }

  /** Lets `ms` of real time pass, timer by timer; what one starts has its turn before the next. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await turn();
    for (;;) {
      let next: Timer | undefined;
      for (const timer of this.#timers) {
        if (timer.at > end) continue;
        if (!next || timer.at < next.at || (timer.at === next.at && timer.order < next.order)) next = timer;
      }
      if (!next) break;
      const due = next;
      this.#timers = this.#timers.filter((timer) => timer !== due);
      this.#now = Math.max(this.#now, due.at);
      due.call();
      await turn();
    }
    this.#now = end;
    await turn();
  }
}

/** Every promise that can settle without time passing has settled after one turn of the loop. */
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
