import type { Random } from './random.js';

/** Bounds of a back-off, in real milliseconds. */
export interface BackOffLimits {
  readonly initialMs: number;
  readonly maxMs: number;
}

/**
 * Returns the delay after a delay of `beforeMs`: twice as long, from `initialMs` to `maxMs`; `initialMs` follows 0. For callers
 * that keep the delay among other state. They need no jitter, because nobody else waits for the same thing.
 */
export const nextDelayMs = (beforeMs: number, { initialMs, maxMs }: BackOffLimits): number =>
  Math.min(maxMs, Math.max(initialMs, 2 * beforeMs));

/**
 * Delays that double from `initialMs` to `maxMs`. Each is shortened at random by up to a half, so that a street of gateways
 * that lost the same broker does not reconnect at one moment.
 */
export class BackOff {
  readonly #limits: BackOffLimits;
  readonly #random: Pick<Random, 'fraction'>;
  /** The last delay before it was shortened; 0 before the first. */
  #delayMs = 0;

  constructor(limits: BackOffLimits, random: Pick<Random, 'fraction'>) {
    this.#limits = limits;
    this.#random = random;
  }

  /** Returns the real milliseconds until the next attempt: whole, at least half of the delay. */
  next(): number {
    this.#delayMs = nextDelayMs(this.#delayMs, this.#limits);
    return Math.ceil(this.#delayMs * (0.5 + this.#random.fraction() / 2));
  }

  /** Begins again with the first delay. Call it after a success. */
  reset(): void {
    this.#delayMs = 0;
  }
}
