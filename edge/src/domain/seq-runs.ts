/** Seqs from `first` to `last`, both included. */
export interface SeqRun {
  readonly first: number;
  readonly last: number;
}

/**
 * A set of seqs as rising runs that do not touch: a million seqs in a row are two numbers. Seqs are numbers: a jump of
 * more than 2^32 is refused, so they stay far below 2^53.
 */
export class SeqRuns {
  /** First and last seq of each run, in turn. */
  readonly #bounds: number[] = [];

  static of(runs: Iterable<SeqRun>): SeqRuns {
    const made = new SeqRuns();
    for (const { first, last } of runs) made.addRun(first, last);
    return made;
  }

  /** Number of runs. */
  get runs(): number {
    return this.#bounds.length / 2;
  }
  get isEmpty(): boolean {
    return this.#bounds.length === 0;
  }
  /** Lowest seq; 0 without any. */
  get lowest(): number {
    return this.#bounds[0] ?? 0;
  }
  /** Highest seq; 0 without any. */
  get highest(): number {
    return this.#bounds.at(-1) ?? 0;
  }

  *[Symbol.iterator](): Generator<SeqRun> {
    for (let at = 0; at < this.#bounds.length; at += 2) yield { first: this.#low(at), last: this.#high(at) };
  }

  add(seq: number): void {
    this.addRun(seq, seq);
  }

  /** Adds the seqs from `first` to `last`, of which some may be there. */
  addRun(first: number, last: number): void {
    const bounds = this.#bounds;
    const end = bounds.length;
    if (end > 0 && first === this.#high(end - 2) + 1) {
      bounds[end - 1] = last;
      return;
    }
    // Runs from `at` up to `through` touch the new one, which replaces them.
    const at = this.#runAt(first - 1);
    let through = at;
    let [low, high] = [first, last];
    while (through < bounds.length && this.#low(through) <= last + 1) {
      low = Math.min(low, this.#low(through));
      high = Math.max(high, this.#high(through));
      through += 2;
    }
    bounds.splice(at, through - at, low, high);
  }

  /** Removes the seqs from `first` to `last`, of which some may be absent. */
  removeRun(first: number, last: number): void {
    const bounds = this.#bounds;
    const at = this.#runAt(first);
    let through = at;
    const rest: number[] = [];
    while (through < bounds.length && this.#low(through) <= last) {
      if (this.#low(through) < first) rest.push(this.#low(through), first - 1);
      if (this.#high(through) > last) rest.push(last + 1, this.#high(through));
      through += 2;
    }
    bounds.splice(at, through - at, ...rest);
  }

  has(seq: number): boolean {
    const at = this.#runAt(seq);
    return at < this.#bounds.length && this.#low(at) <= seq;
  }

  /** Counts the seqs from `from` to `through`. */
  count(from: number, through: number): number {
    let sum = 0;
    for (const { first, last } of this.within(from, through)) sum += last - first + 1;
    return sum;
  }

  /** The runs, cut to the seqs from `from` to `through`. */
  *within(from: number, through: number): Generator<SeqRun> {
    for (let at = this.#runAt(from); at < this.#bounds.length && this.#low(at) <= through; at += 2)
      yield { first: Math.max(from, this.#low(at)), last: Math.min(through, this.#high(at)) };
  }

  /** The seqs from `from` to `through` that are absent. */
  missing(from: number, through: number): SeqRun[] {
    const absent: SeqRun[] = [];
    let next = from;
    for (const { first, last } of this.within(from, through)) {
      if (first > next) absent.push({ first: next, last: first - 1 });
      next = last + 1;
    }
    if (next <= through) absent.push({ first: next, last: through });
    return absent;
  }

  /** Returns the last of the first `limit` seqs from `from` on; 0 when there is none. */
  lastOf(from: number, limit: number): number {
    let left = limit;
    let found = 0;
    for (const { first, last } of this.within(from, Number.MAX_SAFE_INTEGER)) {
      if (left <= 0) break;
      found = Math.min(last, first + left - 1);
      left -= found - first + 1;
    }
    return found;
  }

  /** Index of the first run whose last seq is at least `seq`. */
  #runAt(seq: number): number {
    let [low, high] = [0, this.#bounds.length / 2];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#high(2 * middle) < seq) low = middle + 1;
      else high = middle;
    }
    return 2 * low;
  }
  #low(at: number): number {
    return this.#bounds[at] ?? 0;
  }
  #high(at: number): number {
    return this.#bounds[at + 1] ?? 0;
  }
}
