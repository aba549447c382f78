/** Numbers that follow from a seed alone, so that a failing seed fails again on every machine. */
export class Random {
  #state: number;

  /** `seed`: any integer; the same seed and name give the same numbers, other names others. */
  constructor(seed: number, name = '') {
    let mixed = seed >>> 0;
    for (const char of `${Math.floor(seed / 2 ** 32)}/${name}`)
      mixed = Math.imul(mixed ^ char.charCodeAt(0), 0x01000193);
    this.#state = mixed >>> 0;
    // The first numbers of neighbouring seeds are alike.
    for (let i = 0; i < 4; i++) this.fraction();
  }

  /** From 0 (inclusive) to 1 (exclusive): a Weyl sequence behind an avalanche of 32 bits. */
  fraction(): number {
    this.#state = (this.#state + 0x9e3779b9) >>> 0;
    let z = this.#state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return ((z ^ (z >>> 15)) >>> 0) / 2 ** 32;
  }

  /** An integer from `low` to `high`, both inclusive. */
  int(low: number, high: number): number {
    return low + Math.floor(this.fraction() * (high - low + 1));
  }

  chance(probability: number): boolean {
    return this.fraction() < probability;
  }

  /** One of `items`; throws when there is none. */
  pick<T>(items: readonly T[]): T {
    return at(items, this.int(0, items.length - 1));
  }

  /** The items in another order; the array stays as it is. */
  shuffled<T>(items: readonly T[]): T[] {
    const result = [...items];
    for (let i = result.length - 1; i > 0; i--) {
      const j = this.int(0, i);
      [result[i], result[j]] = [at(result, j), at(result, i)];
    }
    return result;
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.int(0, 255));
  }
}

/** The item at an index that must be there. */
export function at<T>(items: readonly T[], index: number): T {
  if (index < 0 || index >= items.length) throw new RangeError(`no item ${index} of ${items.length}`);
  return items[index] as T;
}
