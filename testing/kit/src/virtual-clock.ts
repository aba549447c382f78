import { type Clock, ClockSource, type ReadingClock } from '@gridtokenx/runtime/core';

/** Tasks at one instant after which a test is told that time does not pass: something sets a timer of 0 ms for ever. */
const MAX_AT_ONE_INSTANT = 100_000;

export interface VirtualClockOptions {
  /** What `nowMs` shows at first; `monotonicMs` begins at 0. Milliseconds since 1970. */
  readonly startAtMs?: number;
  /** How many times faster the reading clock over it runs. */
  readonly speed?: number;
  /** Tasks that one call may run before it throws. */
  readonly mostTasks?: number;
}

interface Timer {
  readonly atMs: number;
  readonly task: () => void;
  readonly owner: object | null;
  isOff: boolean;
}

/** What one simulated process sees of time. Its timers die with it. */
export interface ProcessTime {
  readonly clock: Clock;
  /** Takes its timers back; from then on it gets no more. */
  end(): void;
}

/**
 * Real time that moves only when a test says so. Timers run in order of their time, then of their setting. The
 * asynchronous calls give promises their turn after each timer; `advanceNow` and `fireNext` run timers only.
 */
export class VirtualClock implements Clock {
  readonly startAtMs: number;
  /** Drives readings; begins at `startAtMs`, runs `speed` times faster, and does not see steps of the machine's clock. */
  readonly reading: VirtualReadingClock;
  readonly #mostTasks: number;
  /** Sorted, the next one last. */
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

  /** Timers that are set. */
  get pending(): number {
    return this.#pending;
  }
  /** Milliseconds to the next timer; null when none is set. */
  get nextDueAtMs(): number | null {
    const next = this.#peek();
    return next ? Math.max(0, next.atMs - this.#elapsedMs) : null;
  }

  /** Lets `ms` pass, timer by timer; promises that a timer settles have their turn before the next one. */
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

  /** Lets time pass until `done` settles, and settles as it does. Rejects when no timer is left before that. */
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
        if (!next) throw new Error('nothing is left to happen, and what is waited for has not');
        guard();
        next.task();
        await this.settle();
      }
    });
    return done;
  }

  /** Lets `ms` pass and runs what is due, in this very call: promises have no turn. */
  advanceNow(ms: number): void {
    const endAtMs = this.#elapsedMs + ms;
    const guard = this.#guard();
    for (let next = this.#take(endAtMs); next; next = this.#take(endAtMs)) {
      guard();
      next.task();
    }
    this.#elapsedMs = endAtMs;
  }

  /** Goes to the next timer and runs it; the milliseconds that passed. Throws when none is set. */
  fireNext(): number {
    const waitMs = this.nextDueAtMs;
    const next = this.#take(Number.POSITIVE_INFINITY);
    if (waitMs === null || !next) throw new Error('no timer is set');
    next.task();
    return waitMs;
  }

  /** Lets `ms` pass while the machine stands still: what is due runs late, with the next call that moves time. */
  stall(ms: number): void {
    this.#elapsedMs += ms;
  }
  /** Sets the machine's clock ahead or back; timers and `monotonicMs` do not notice. */
  step(ms: number): void {
    this.#steppedMs += ms;
  }
  /** Takes all timers back, as a crash does. */
  forget(): void {
    this.#timers.length = 0;
    this.#pending = 0;
  }

  /** Time for one process of several. */
  process(): ProcessTime {
    const owner = { isEnded: false };
    return {
      clock: {
        nowMs: () => this.nowMs(),
        monotonicMs: () => this.monotonicMs(),
        // The dead wait for nothing: a timer set by what was left of one would bring it back to life.
        after: (ms, task) => (owner.isEnded ? () => {} : this.#set(ms, task, owner)),
      },
      end: () => {
        owner.isEnded = true;
        for (const timer of this.#timers) if (timer.owner === owner) this.#cancel(timer);
      },
    };
  }

  /** Gives every promise that can settle without time and I/O its turn. */
  settle(): Promise<void> {
    return settle();
  }

  #set(ms: number, task: () => void, owner: object | null): () => void {
    if (Number.isNaN(ms)) throw new RangeError('a timer of NaN milliseconds');
    const timer: Timer = { atMs: this.#elapsedMs + Math.max(0, ms), task, owner, isOff: false };
    let place = this.#timers.length;
    // Behind all that are due no later: of two at one instant the first one set comes first.
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

  /** The next timer that is due by `endAtMs`, with time moved to it. */
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
    if (this.#isMoving) throw new Error('time is being moved already: await the call before');
    this.#isMoving = true;
    try {
      await move();
    } finally {
      this.#isMoving = false;
    }
  }
}

/** A reading clock over a virtual one. It runs `speed` times faster; a test may set what is wrong with it. */
export class VirtualReadingClock implements ReadingClock {
  readonly #clock: VirtualClock;
  readonly #speed: number;
  readonly #startAtMs: number;
  /** Added to what it shows: a step. */
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

/** Gives every promise that can settle without time and I/O its turn. */
export const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Randomness that a test sets: bytes of one value, and one fraction. */
export const fixedRandom = (byte = 0, fraction = 0.99) => ({
  bytes: (length: number) => new Uint8Array(length).fill(byte),
  fraction: () => fraction,
});
