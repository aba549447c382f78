/** Seqs reserved at once: one durable write serves this many messages; the rest is declared as a gap after a stop. */
export const SEQ_BLOCK = 128n;

/**
 * Hands out the seqs of one key. A seq is reserved durably before anything is signed with it, so that no crash and no
 * restart can use it twice [gateway §3.2].
 */
export class SeqAllocator {
  readonly #reserve: (through: bigint) => Promise<void>;
  #next: bigint;
  #through: bigint;

  /** `reserve` resolves when `through` survives a power cut. Every seq up to `through` counts as used by earlier runs. */
  constructor(through: bigint, reserve: (through: bigint) => Promise<void>) {
    this.#reserve = reserve;
    this.#next = through + 1n;
    this.#through = through;
  }

  /** The next seq that will be handed out. */
  get next(): bigint {
    return this.#next;
  }

  /** A seq that was never handed out before. Rejects, without using it, when it could not be reserved. */
  async take(): Promise<bigint> {
    if (this.#next > this.#through) {
      const through = this.#next + SEQ_BLOCK - 1n;
      await this.#reserve(through);
      this.#through = through;
    }
    return this.#next++;
  }

  /** Goes on at `next`, which lies above everything handed out, after storing that. */
  async continueAt(next: bigint): Promise<void> {
    if (next < this.#next) throw new RangeError(`seq ${next} was handed out already`);
    const through = next + SEQ_BLOCK - 1n;
    await this.#reserve(through);
    this.#next = next;
    this.#through = through;
  }
}
