import type { Clock } from '@gridtokenx/runtime/core';

/** A balance falls slowly: a fee of 5,000 lamports for each signature. Real milliseconds. */
const EVERY_MS = 30_000;

/** Reads the attestor's balance now and then, so that a low one is said before it ends. */
export class BalanceWatch {
  readonly #read: () => Promise<number>;
  readonly #clock: Clock;
  #cancel: () => void = () => {};
  #isStopped = false;
  /** Null while it was never read. A node that is away changes nothing: another condition names it. */
  lamports: number | null = null;

  /** `read` rejects when the node does not answer. */
  constructor(read: () => Promise<number>, clock: Clock) {
    this.#read = read;
    this.#clock = clock;
  }

  async refresh(): Promise<void> {
    try {
      this.lamports = await this.#read();
    } catch {
      // Asked again, see above.
    }
    if (!this.#isStopped) this.#cancel = this.#clock.after(EVERY_MS, () => void this.refresh());
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancel();
  }
}
