import type { Randomness } from '../ports.js';

/** Delays that double from `firstMs` to `lastMs`, each cut by up to a half at random, so that a street of gateways that
 * lost the same broker does not come back in one moment. */
export class Backoff {
  readonly #firstMs: number;
  readonly #lastMs: number;
  readonly #random: Randomness;
  #nextMs: number;

  constructor(firstMs: number, lastMs: number, random: Randomness) {
    this.#firstMs = firstMs;
    this.#lastMs = lastMs;
    this.#random = random;
    this.#nextMs = firstMs;
  }

  /** Real milliseconds to wait before the next attempt. */
  next(): number {
    const delay = this.#nextMs * (0.5 + this.#random.fraction() / 2);
    this.#nextMs = Math.min(this.#lastMs, this.#nextMs * 2);
    return Math.ceil(delay);
  }

  /** After a success. */
  reset(): void {
    this.#nextMs = this.#firstMs;
  }
}
