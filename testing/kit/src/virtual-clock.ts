import { type Clock, ClockSource, type ReadingClock } from '@gridtokenx/runtime/core';

/**
 * Number of tasks at one instant after which the clock reports that time does not pass: something sets timers of 0 ms
 * without end.
 */
const MAX_AT_ONE_INSTANT = 100_000;

export interface VirtualClockOptions {
  /** Initial value of `nowMs`, in milliseconds since 1970; `monotonicMs` begins at 0. */
  readonly startAtMs?: number;
  /** Factor by which the reading clock runs faster. */
  readonly speed?: number;
  /** Maximum number of tasks in one call before it throws. */
  readonly mostTasks?: number;
}

interface Timer {
  readonly atMs: number;
  readonly task: () => void;
  readonly owner: object | null;
  isOff: boolean;
}

/** The time of one simulated process. Its timers end with it. */
export interface ProcessTime {
  readonly clock: Clock;
  /** Cancels its timers; from then on it sets no more. */
  end(): void;
}

/**
 * Real time that moves only when a test says so. Timers run in order of their time, then of their setting. The
 * asynchronous calls let promises settle after each timer; `advanceNow` and `fireNext` run timers only.
 */
export class VirtualClock implements Clock {
  readonly startAtMs: number;
  /** Dates readings: begins at `startAtMs`, runs `speed` times faster, and ignores steps of the machine's clock. */
  readonly reading: VirtualReadingClock;
  readonly #mostTasks: number;
  /** Sorted, the next timer last. */
  readonly #timers: Timer[] = [];
  #elapsedMs = 0;
  #steppedMs = 0;
  #pending = 0;
  #isMoving = false;

  constructor(options: VirtualClockOptions = {}) {
    const { startAtMs = Date.UTC(2026, 0, 1), speed = 1, mostTasks = 10_000_000 } = options;
    this.startAtMs = startAtMs;
    this.reading = new VirtualReadingClock(this, { speed });
    this.#mostTasks = mostTasks;
  }

  nowMs(): number {
    return this.startAtMs + this.#elapsedMs + this.#steppedMs;
  }
  monotonicMs(): number {
    return this.#elapsedMs;
  }
  after(ms: number, task: () => void): () => void {
    return this.#set(ms, task, null);
  }

  /** Number of timers that are set. */
  get pending(): number {
    return this.#pending;
  }
  /** Milliseconds to the next timer; null when none is set. */
  get nextDueAtMs(): number | null {
    const next = this.#peek();
    return next ? Math.max(0, next.atMs - this.#elapsedMs) : null;
  }

  /** Lets `ms` pass, timer by timer; promises that a timer settles run before the next timer. */
  async advance(ms: number): Promise<void> {
    await this.#moving(async () => {
      const endAtMs = this.#elapsedMs + ms;
      const guard = this.#guard();
      await this.settle();
      for (let next = this.#take(endAtMs); next; next = this.#take(endAtMs)) {
        guard();
        next.task();
        await this.settle();
      }
      this.#elapsedMs = endAtMs;
      await this.settle();
    });
  }

  /** Lets time pass until `done` settles, and settles as `done` does. Rejects when no timer remains before that. */
  async run<T>(done: Promise<T>): Promise<T> {
    let isOver = false;
    const end = () => {
      isOver = true;
    };
    done.then(end, end);
    await this.#moving(async () => {
      const guard = this.#guard();
      await this.settle();
      while (!isOver) {
        const next = this.#take(Number.POSITIVE_INFINITY);
        if (!next) throw new Error('no timer is left, and the awaited promise has not settled');
        guard();
        next.task();
        await this.settle();
      }
    });
    return done;
  }

  /** Lets `ms` pass and runs due timers within this call: promises do not run. */
  advanceNow(ms: number): void {
    const endAtMs = this.#elapsedMs + ms;
    const guard = this.#guard();
    for (let next = this.#take(endAtMs); next; next = this.#take(endAtMs)) {
      guard();
      next.task();
    }
    this.#elapsedMs = endAtMs;
  }

  /** Advances to the next timer and runs it; returns the milliseconds that passed. Throws when none is set. */
  fireNext(): number {
    const waitMs = this.nextDueAtMs;
    const next = this.#take(Number.POSITIVE_INFINITY);
    if (waitMs === null || !next) throw new Error('no timer is set');
    next.task();
    return waitMs;
  }

  /** Lets `ms` pass while the machine stands still: due timers run late, with the next call that moves time. */
  stall(ms: number): void {
    this.#elapsedMs += ms;
  }
  /** Sets the machine's clock ahead or back; timers and `monotonicMs` do not notice. */
  step(ms: number): void {
    this.#steppedMs += ms;
  }
  /** Cancels all timers, as a crash does. */
  forget(): void {
    this.#timers.length = 0;
    this.#pending = 0;
  }

  /** Returns the time of one process of several. */
  process(): ProcessTime {
    const owner = { isEnded: false };
    return {
      clock: {
        nowMs: () => this.nowMs(),
        monotonicMs: () => this.monotonicMs(),
        // A dead process sets no timer: a timer set by its remains would revive it.
        after: (ms, task) => (owner.isEnded ? () => {} : this.#set(ms, task, owner)),
      },
      end: () => {
        owner.isEnded = true;
        for (const timer of this.#timers) if (timer.owner === owner) this.#cancel(timer);
      },
    };
  }

  /** Lets every promise run that can settle without time and I/O. */
  settle(): Promise<void> {
    return settle();
  }

  #set(ms: number, task: () => void, owner: object | null): () => void {
    if (Number.isNaN(ms)) throw new RangeError('a timer of NaN milliseconds');
    const timer: Timer = { atMs: this.#elapsedMs + Math.max(0, ms), task, owner, isOff: false };
    let place = this.#timers.length;
    // Behind all timers due no later: of two at one instant the first one set runs first.
    while (place > 0 && (this.#timers[place - 1] as Timer).atMs <= timer.atMs) place--;
    this.#timers.splice(place, 0, timer);
    this.#pending++;
    return () => this.#cancel(timer);
  }

  #cancel(timer: Timer): void {
    if (timer.isOff) return;
    timer.isOff = true;
    this.#pending--;
  }

  #peek(): Timer | undefined {
    while (this.#timers.at(-1)?.isOff) this.#timers.pop();
    return this.#timers.at(-1);
  }

  /** Removes and returns the next timer due by `endAtMs`, and moves time to it. */
  #take(endAtMs: number): Timer | undefined {
    const next = this.#peek();
    if (!next || next.atMs > endAtMs) return undefined;
    this.#timers.pop();
    next.isOff = true;
    this.#pending--;
    this.#elapsedMs = Math.max(this.#elapsedMs, next.atMs);
    return next;
  }

  #guard(): () => void {
    let left = this.#mostTasks;
    let atMs = Number.NaN;
    let atOnce = 0;
    return () => {
      if (this.#elapsedMs !== atMs) [atMs, atOnce] = [this.#elapsedMs, 0];
      if (++atOnce > MAX_AT_ONE_INSTANT) throw new Error(`${MAX_AT_ONE_INSTANT} timers ran and no time passed`);
      if (--left < 0) throw new Error(`more than ${this.#mostTasks} timers ran in one call`);
    };
  }

  async #moving(move: () => Promise<void>): Promise<void> {
    // Two movers at once would run timers out of order.
    if (this.#isMoving) throw new Error('another call moves time already: await that call first');
    this.#isMoving = true;
    try {
      await move();
    } finally {
      this.#isMoving = false;
    }
  }
}

/** A reading clock over a virtual clock. It runs `speed` times faster; a test may set its faults. */
export class VirtualReadingClock implements ReadingClock {
  readonly #clock: VirtualClock;
  readonly #speed: number;
  readonly #startAtMs: number;
  /** A step, in ms, added to the time that it shows. */
  stepMs = 0;
  uncertainty: number | null = 10;
  from: ClockSource = ClockSource.oracle;

  constructor(
    clock: VirtualClock,
    { speed = 1, startAtMs = clock.startAtMs }: { speed?: number; startAtMs?: number } = {},
  ) {
    this.#clock = clock;
    this.#speed = speed;
    this.#startAtMs = startAtMs;
  }

  nowMs(): number {
    return this.#startAtMs + this.#clock.monotonicMs() * this.#speed + this.stepMs;
  }
  steadyMs(): number {
    return this.#clock.monotonicMs() * this.#speed;
  }
  source(): ClockSource {
    return this.from;
  }
  uncertaintyMs(): number | null {
    return this.uncertainty;
  }
  realDelayUntil(readingMs: number): number {
    return Math.max(0, (readingMs - this.nowMs()) / this.#speed);
  }
  realTimeOf(readingMs: number): number {
    return this.#clock.nowMs() + (readingMs - this.nowMs()) / this.#speed;
  }
}

/** Lets every promise run that can settle without time and I/O. */
export const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Randomness that a test sets: bytes of one value, and one fraction. */
export const fixedRandom = (byte = 0, fraction = 0.99) => ({
  bytes: (length: number) => new Uint8Array(length).fill(byte),
  fraction: () => fraction,
});
