import type { BlockhashState } from './ports.js';

/**
 * A blockhash that the node does not know is believed to be gone after this time, real ms: a node that lags behind, or one
 * of several behind an address, may come to know it.
 */
export const PATIENCE_MS = 3_000;

/** Tells when a transaction can land no more. It remembers since when the node does not know the blockhash. */
export class Patience {
  #unfamiliarSeenAtMs: number | null = null;

  /** False while it may still land. `nowMs`: of one clock in all calls. */
  isGone(state: BlockhashState, nowMs: number): boolean {
    if (state !== 'unfamiliar') this.#unfamiliarSeenAtMs = null;
    if (state === 'valid') return false;
    if (state === 'expired') return true;
    this.#unfamiliarSeenAtMs ??= nowMs;
    return nowMs - this.#unfamiliarSeenAtMs >= PATIENCE_MS;
  }

  /** Begins anew for another transaction. */
  reset(): void {
    this.#unfamiliarSeenAtMs = null;
  }
}
