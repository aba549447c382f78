/**
 * Learns the largest number of registers that a unit answers in one read. Some meters and converters refuse more than
 * a length that no document states. Holds for one run. A length that is answered disproves an earlier refusal of it.
 */
export class ReadLength {
  /** The largest length that was answered; 0 before the first answer. */
  #works = 0;
  /** The smallest length that was refused for its length; null while none was. */
  #refused: number | null = null;

  /** Returns the longest read to send, in registers; null while no length was refused. */
  get limit(): number | null {
    return this.#refused === null ? null : Math.max(1, this.#works, Math.floor(this.#refused / 2));
  }

  /** Returns the limit once a read of that length was answered; null before, and without a limit. */
  get learnt(): number | null {
    return this.#refused !== null && this.limit === this.#works ? this.#works : null;
  }

  /** Returns the lengths between the longest answered and the shortest refused one, both excluded; null = no limit. */
  get open(): { readonly above: number; readonly below: number } | null {
    return this.#refused === null ? null : { above: this.#works, below: this.#refused };
  }

  answered(count: number): void {
    if (this.#refused !== null && count >= this.#refused) this.#refused = null;
    this.#works = Math.max(this.#works, count);
  }

  /** Records a read that was refused although shorter reads of its values may be answered. */
  refused(count: number): void {
    this.#refused = Math.min(this.#refused ?? count, count);
    this.#works = Math.min(this.#works, this.#refused - 1);
  }

  /** Forgets the refusals: a register was missing, so they say nothing about lengths. */
  forget(): void {
    this.#refused = null;
  }
}
