import type { Clock } from '@gridtokenx/runtime/core';

/** A probe of a silent unit waits for a gap at most this long, then it goes like all others. Milliseconds. */
const MAX_WAIT_MS = 4_000;
/** Probes that found no gap lie at least this far apart: several in a row would hold a poll up for long. Milliseconds. */
const FORCED_REST_MS = 1_000;

/**
 * Order on a bus: one task at a time; polls in the order they came; probes of silent units only where they hold up no
 * poll that is expected soon.
 */
export class BusQueue {
  readonly #clock: Clock;
  #tail: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #forcedRestUntilMs = Number.NEGATIVE_INFINITY;
  /** When each unit is expected to poll next, monotonic ms. */
  readonly #expected = new Map<number, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A poll of `unit`, which polls every `periodMs`. */
  run<T>(unit: number, periodMs: number, task: () => Promise<T>): Promise<T> {
    this.#expected.set(unit, this.#clock.monotonicMs() + periodMs);
    return this.#push(task);
  }

  /** A task that may wait, and takes up to `lengthMs`. */
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

  /** The next expected poll; what was expected and did not come is not waited for any longer. */
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
