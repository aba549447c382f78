import type { Random } from './random.js';

/** Bounds of a back-off, in real milliseconds. */
export interface BackOffLimits {
  readonly firstMs: number;
  readonly lastMs: number;
}

/**
 * Delays that double from `firstMs` to `lastMs`. Each is cut by up to a half at random, so that a street of gateways that
 * lost the same broker does not come back in one moment.
 */
export class BackOff {
  readonly #limits: BackOffLimits;
  readonly #random: Pick<Random, 'fraction'>;
  #nextMs: number;

  constructor(limits: BackOffLimits, random: Pick<Random, 'fraction'>) {
    this.#limits = limits;
    this.#random = random;
    this.#nextMs = limits.firstMs;
  }

  /** Real milliseconds to wait before the next attempt; whole, at least half of the delay. */
  next(): number {
    const delayMs = this.#nextMs * (0.5 + this.#random.fraction() / 2);
    this.#nextMs = Math.min(this.#limits.lastMs, this.#nextMs * 2);
    return Math.ceil(delayMs);
  }

  /** Begins again with the first delay: call it after a success. */
  reset(): void {
    this.#nextMs = this.#limits.firstMs;
  }
}
