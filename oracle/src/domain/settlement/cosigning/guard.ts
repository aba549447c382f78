import { type BlockhashState, type BlockhashUse, Patience } from '@gridtokenx/chain-sender';
import type { Clock } from '@gridtokenx/runtime/core';
import type { Commitment, CosignRecord, SignedBefore } from './ports.js';

/**
 * Remembers what this attestor has signed [settlement §8.4]. For one page version it signs one attest_page; another one only when none of the
 * first's transactions can land any more. The same attest_page may be signed again in another transaction: the page's
 * version lets only one of them land, and they say the same.
 */
export class CosignGuard {
  readonly #record: CosignRecord;
  readonly #clock: Clock;
  readonly #blockhashState: (use: BlockhashUse) => Promise<BlockhashState>;
  readonly #patience = new Map<number, Patience>();
  #last: Promise<unknown> = Promise.resolve();

  constructor(record: CosignRecord, clock: Clock, blockhashState: (use: BlockhashUse) => Promise<BlockhashState>) {
    this.#record = record;
    this.#clock = clock;
    this.#blockhashState = blockhashState;
  }

  /**
   * True when it is stored durably that this may be signed; false while something else for the same page version may still
   * land. Throws `NodeUnavailable`, or what the disk throws.
   */
  commit(wanted: Commitment): Promise<boolean> {
    // One after another, so that two requests never pass each other between question and record.
    const done = this.#last.then(() => this.#commit(wanted));
    this.#last = done.catch(() => undefined);
    return done;
  }

  async #commit(wanted: Commitment): Promise<boolean> {
    for (const other of this.#record.others(wanted)) {
      if (await this.#mayLand(other)) return false;
      this.#record.lapsed(other.id, this.#clock.nowMs());
      this.#patience.delete(other.id);
    }
    this.#record.add(wanted, this.#clock.nowMs());
    return true;
  }

  async #mayLand(signed: SignedBefore): Promise<boolean> {
    const patience = this.#patience.get(signed.id) ?? new Patience();
    this.#patience.set(signed.id, patience);
    return !patience.isGone(await this.#blockhashState(signed), this.#clock.monotonicMs());
  }
}
