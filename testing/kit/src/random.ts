import { SeededRandom } from '@gridtokenx/runtime/core';

/** State that a seed and a name begin with. */
function mixed(seed: number, name: string): number {
  let state = seed >>> 0;
  for (const char of `${Math.floor(seed / 2 ** 32)}/${name}`) state = Math.imul(state ^ char.charCodeAt(0), 0x01000193);
  return state >>> 0;
}

/** Numbers that follow from a seed alone, so that a failing seed fails again on every machine. */
export class Random extends SeededRandom {
  /** `seed`: any integer; the same seed and name give the same numbers, other names others. */
  constructor(seed: number, name = '') {
    super(mixed(seed, name));
    // The first numbers of neighbouring seeds are alike.
    for (let i = 0; i < 4; i++) this.fraction();
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
}

/**
 * Numbers that follow from a seed of 64 bits alone (SplitMix64, Steele, Lea and Flood 2014). For the chain campaign: its
 * seeds must go on meaning the same instructions, so that a seed once told as failing can be played again. Others take
 * `Random`.
 */
export class Random64 {
  #state: bigint;

  constructor(seed: bigint) {
    this.#state = BigInt.asUintN(64, seed);
  }

  /** 64 bits. */
  next(): bigint {
    this.#state = BigInt.asUintN(64, this.#state + 0x9e37_79b9_7f4a_7c15n);
    let z = this.#state;
    z = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58_476d_1ce4_e5b9n);
    z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d0_49bb_1331_11ebn);
    return z ^ (z >> 31n);
  }

  /** From 0 to below `count`. */
  below(count: number): number {
    return Number(this.next() % BigInt(count));
  }

  /** From `least` to `most`. */
  between(least: number, most: number): number {
    return least + this.below(most - least + 1);
  }

  /** True once in `count`. */
  oneIn(count: number): boolean {
    return this.below(count) === 0;
  }

  pick<T>(list: readonly T[]): T {
    const found = list[this.below(list.length)];
    if (found === undefined) throw new RangeError('nothing to pick from');
    return found;
  }

  /** One of the values, as often as its weight says. */
  weighted<T>(choices: readonly (readonly [number, T])[]): T {
    let at = this.below(choices.reduce((sum, [weight]) => sum + weight, 0));
    for (const [weight, value] of choices) {
      if (at < weight) return value;
      at -= weight;
    }
    throw new RangeError('nothing to choose from');
  }
}

/** The item at an index that must be there. */
export function at<T>(items: readonly T[], index: number): T {
  if (index < 0 || index >= items.length) throw new RangeError(`no item ${index} of ${items.length}`);
  return items[index] as T;
}
