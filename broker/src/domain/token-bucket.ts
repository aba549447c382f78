/**
 * A rate with a burst. Spending is never refused: the level may become a debt, and `waitMs` returns the time until it is paid.
 * So the broker handles a packet that has arrived, and the next one waits.
 */
export class TokenBucket {
  readonly #perMs: number;
  readonly #burst: number;
  #level: number;
  #atMs: number;

  /** `perSecond` tokens per second, at most `burst` saved up; `nowMs` of a clock that never falls. */
  constructor(perSecond: number, burst: number, nowMs: number) {
    this.#perMs = perSecond / 1000;
    this.#burst = burst;
    this.#level = burst;
    this.#atMs = nowMs;
  }

  spend(count: number, nowMs: number): void {
    this.#refill(nowMs);
    this.#level -= count;
  }

  /** Returns the milliseconds until the level is above zero again; 0 = now. */
  waitMs(nowMs: number): number {
    this.#refill(nowMs);
    return this.#level > 0 ? 0 : Math.ceil((1 - this.#level) / this.#perMs);
  }

  #refill(nowMs: number): void {
    this.#level = Math.min(this.#burst, this.#level + Math.max(0, nowMs - this.#atMs) * this.#perMs);
    this.#atMs = nowMs;
  }
}
