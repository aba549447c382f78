/** Stores finished seeds as sorted, disjoint, non-touching ranges: ten thousand seeds are two numbers. */
export class SeedRanges {
  readonly #ranges: [number, number][];

  /** `ranges`: the output of `toJSON`. */
  constructor(ranges: readonly (readonly [number, number])[] = []) {
    this.#ranges = ranges.map(([first, last]) => [first, last]);
  }

  add(seed: number): void {
    let at = this.#ranges.findIndex(([, last]) => last >= seed - 1);
    if (at < 0) at = this.#ranges.length;
    const range = this.#ranges[at];
    if (!range || range[0] > seed + 1) {
      this.#ranges.splice(at, 0, [seed, seed]);
      return;
    }
    range[0] = Math.min(range[0], seed);
    range[1] = Math.max(range[1], seed);
    const next = this.#ranges[at + 1];
    if (next && next[0] <= range[1] + 1) {
      range[1] = Math.max(range[1], next[1]);
      this.#ranges.splice(at + 1, 1);
    }
  }

  has(seed: number): boolean {
    return this.#ranges.some(([first, last]) => first <= seed && seed <= last);
  }

  get count(): number {
    return this.#ranges.reduce((sum, [first, last]) => sum + last - first + 1, 0);
  }

  toJSON(): readonly (readonly [number, number])[] {
    return this.#ranges;
  }
}
