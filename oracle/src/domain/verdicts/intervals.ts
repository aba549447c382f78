/** Stores a set of u64 numbers as sorted, disjoint, non-touching intervals: a gap of 2^32 seqs costs two numbers. */
export class IntervalSet {
  readonly #first: bigint[] = [];
  readonly #last: bigint[] = [];

  /** Adds `first` to `last`, both inclusive; does nothing when `last` < `first`. */
  add(first: bigint, last: bigint): void {
    if (last < first) return;
    let at = this.#indexAtOrAfter(first - 1n);
    let low = first;
    let high = last;
    const from = at;
    for (let start = this.#first[at]; start !== undefined && start <= last + 1n; start = this.#first[++at]) {
      const end = this.#last[at] ?? start;
      if (start < low) low = start;
      if (end > high) high = end;
    }
    this.#first.splice(from, at - from, low);
    this.#last.splice(from, at - from, high);
  }

  has(value: bigint): boolean {
    return this.endOf(value) !== null;
  }

  /** Returns the last number of the interval that holds `value`, or null when none does. */
  endOf(value: bigint): bigint | null {
    const at = this.#indexAtOrAfter(value);
    const start = this.#first[at];
    return start !== undefined && start <= value ? (this.#last[at] ?? null) : null;
  }

  /** Returns true when every number from `first` to `last` is in the set; true for an empty range. */
  covers(first: bigint, last: bigint): boolean {
    if (last < first) return true;
    const end = this.endOf(first);
    return end !== null && end >= last;
  }

  /** Returns the highest number from `first` to `last` that is not in the set, or null when all are. */
  highestMissing(first: bigint, last: bigint): bigint | null {
    let top = last;
    for (;;) {
      if (top < first) return null;
      const at = this.#indexAtOrAfter(top);
      const start = this.#first[at];
      if (start === undefined || start > top) return top;
      top = start - 1n;
    }
  }

  /** Returns the index of the first interval that ends at or after `value`. */
  #indexAtOrAfter(value: bigint): number {
    let low = 0;
    let high = this.#last.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#last[middle] ?? 0n) < value) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
