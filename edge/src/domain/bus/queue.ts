import type { Clock } from '@gridtokenx/runtime/core';

/** Longest wait of a silent unit's probe for a gap, ms; then it queues like a poll. */
const MAX_WAIT_MS = 4_000;
/** Least time between probes that found no gap, ms: several in a row would delay a poll for long. */
const FORCED_REST_MS = 1_000;

/**
 * Orders the tasks of a bus, one at a time. Polls run in the order of their requests; probes of silent units run only
 * where they delay no poll that is expected soon.
 */
export class BusQueue {
  readonly #clock: Clock;
  #tail: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #forcedRestUntilMs = Number.NEGATIVE_INFINITY;
  /** Instant of each unit's next expected poll, monotonic ms. */
  readonly #expected = new Map<number, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Runs a poll of `unit`, which polls every `periodMs`. */
  run<T>(unit: number, periodMs: number, task: () => Promise<T>): Promise<T> {
    this.#expected.set(unit, this.#clock.monotonicMs() + periodMs);
    return this.#push(task);
  }

  /** Runs a task of up to `lengthMs` in a gap between polls, or after `MAX_WAIT_MS`. */
  async runInGap<T>(lengthMs: number, task: () => Promise<T>): Promise<T> {
    const endAtMs = this.#clock.monotonicMs() + MAX_WAIT_MS;
    for (;;) {
      const now = this.#clock.monotonicMs();
      const gapMs = this.#waiting > 0 ? 0 : this.#nextExpected(now) - now;
      if (gapMs >= lengthMs) return this.#push(task);
      if (now >= Math.max(endAtMs, this.#forcedRestUntilMs)) {
        this.#forcedRestUntilMs = now + lengthMs + FORCED_REST_MS;
        return this.#push(task);
      }
      const untilMs = Math.max(endAtMs, this.#forcedRestUntilMs);
      await new Promise<void>((resolve) => {
        this.#clock.after(Math.min(untilMs - now, Math.max(5, gapMs + 1)), resolve);
      });
    }
  }

  /** Returns the instant of the next expected poll. Forgets a poll that is over 1 s late. */
  #nextExpected(now: number): number {
    let next = Number.POSITIVE_INFINITY;
    for (const [unit, at] of this.#expected) {
      if (at < now - 1_000) this.#expected.delete(unit);
      else if (at < next) next = Math.max(at, now);
    }
    return next;
  }

  #push<T>(task: () => Promise<T>): Promise<T> {
    this.#waiting++;
    const result = this.#tail.then(task);
    this.#tail = result.then(
      () => this.#waiting--,
      () => this.#waiting--,
    );
    return result;
  }
}
