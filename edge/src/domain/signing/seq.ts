/** Seqs that one durable write reserves; after a stop the unused rest is declared as a gap. */
export const SEQ_BLOCK = 128n;

/**
 * Assigns the seqs of one key. Reserves a seq durably before anything is signed with it, so that no crash and no
 * restart can use it twice [gateway §3.2].
 */
export class SeqAllocator {
  readonly #reserve: (through: bigint) => Promise<void>;
  #next: bigint;
  #through: bigint;

  /**
   * `reserve` resolves when `through` survives a power cut. Every seq up to `through` counts as used by earlier runs.
   */
  constructor(through: bigint, reserve: (through: bigint) => Promise<void>) {
    this.#reserve = reserve;
    this.#next = through + 1n;
    this.#through = through;
  }

  /** Returns the seq that the next `take` assigns. */
  get next(): bigint {
    return this.#next;
  }

  /** Returns a seq that was never assigned before. Rejects, without using it, when it could not be reserved. */
  async reserve(): Promise<bigint> {
    if (this.#next > this.#through) {
      const through = this.#next + SEQ_BLOCK - 1n;
      await this.#reserve(through);
      this.#through = through;
    }
    return this.#next++;
  }

  /** Stores `next`, which lies above every assigned seq, then continues there. */
  async continueAt(next: bigint): Promise<void> {
    if (next < this.#next) throw new RangeError(`seq ${next} is assigned already`);
    const through = next + SEQ_BLOCK - 1n;
    await this.#reserve(through);
    this.#next = next;
    this.#through = through;
  }
}
