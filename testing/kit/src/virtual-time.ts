import { ClockSource, type ReadingClock, type RealTime } from '#edge/domain/ports.js';

interface Timer {
  readonly at: number;
  readonly call: () => void;
}

/** Real time and a reading clock that move only when the test says so; the reading clock runs `speed` times faster. */
export class VirtualTime implements RealTime {
  #now = 0;
  #timers: Timer[] = [];
  readonly startMs: number;
  readonly speed: number;
  /** Added to the reading clock: a step. */
  step = 0;
  uncertainty: number | null = 10;
  source: ClockSource = ClockSource.oracle;

  constructor(startMs = Date.UTC(2026, 0, 1), speed = 1) {
    this.startMs = startMs;
    this.speed = speed;
  }

  readonly clock: ReadingClock = {
    nowMs: () => this.startMs + this.#now * this.speed + this.step,
    uncertaintyMs: () => this.uncertainty,
    source: () => this.source,
    realDelayUntil: (timeMs) => Math.max(0, (timeMs - this.clock.nowMs()) / this.speed),
  };

  nowMs(): number {
    return this.startMs + this.#now;
  }
  monotonicMs(): number {
    return this.#now;
  }
  schedule(delayMs: number, call: () => void): () => void {
    const timer = { at: this.#now + Math.max(0, delayMs), call };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** Lets `ms` of real time pass, timer by timer; what a timer starts gets its turn before the next one. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settle();
    for (;;) {
      const next = this.#timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.#now = Math.max(this.#now, next.at);
      next.call();
      await settle();
    }
    this.#now = end;
    await settle();
  }
}

/** Gives every promise that can settle without time passing its turn. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise<void>((resolve) => setImmediate(resolve));
}
