import type { RealClock } from '../../ports.js';
import type { BlockhashState } from '../ports.js';
import type { Commitment, CosignRecord, SignedBefore } from './ports.js';

/** A blockhash that the node does not know is taken as gone after this time. */
const PATIENCE_MS = 3_000;

/**
 * Remembers what this attestor has signed. For one page version it signs one attest_page; another one only when none of the
 * first's transactions can land any more. The same attest_page may be signed again in another transaction: the page's
 * version lets only one of them land, and they say the same.
 */
export class CosignGuard {
  readonly #record: CosignRecord;
  readonly #realClock: RealClock;
  readonly #blockhashState: (of: { blockhash: string; lastValidHeight: number }) => Promise<BlockhashState>;
  readonly #unfamiliarSince = new Map<number, number>();
  #last: Promise<unknown> = Promise.resolve();

  constructor(
    record: CosignRecord,
    realClock: RealClock,
    blockhashState: (of: { blockhash: string; lastValidHeight: number }) => Promise<BlockhashState>,
  ) {
    this.#record = record;
    this.#realClock = realClock;
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
      this.#record.lapsed(other.id, this.#realClock.now());
      this.#unfamiliarSince.delete(other.id);
    }
    this.#record.add(wanted, this.#realClock.now());
    return true;
  }

  async #mayLand(signed: SignedBefore): Promise<boolean> {
    const state = await this.#blockhashState(signed);
    if (state !== 'unfamiliar') {
      this.#unfamiliarSince.delete(signed.id);
      return state === 'valid';
    }
    const now = this.#realClock.monotonic();
    const since = this.#unfamiliarSince.get(signed.id) ?? now;
    this.#unfamiliarSince.set(signed.id, since);
    return now - since < PATIENCE_MS;
  }
}
