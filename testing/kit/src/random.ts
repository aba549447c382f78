import { SeededRandom } from '@gridtokenx/runtime/core';

/** Returns the initial state of a seed and a name. */
function mixed(seed: number, name: string): number {
  let state = seed >>> 0;
  for (const char of `${Math.floor(seed / 2 ** 32)}/${name}`) state = Math.imul(state ^ char.charCodeAt(0), 0x01000193);
  return state >>> 0;
}

/** Numbers that follow from a seed alone, so that a failing seed fails again on every machine. */
export class Random extends SeededRandom {
  /** `seed`: any integer. The same seed and name give the same numbers; another name gives others. */
  constructor(seed: number, name = '') {
    super(mixed(seed, name));
    // The first numbers of neighbouring seeds are alike.
    for (let i = 0; i < 4; i++) this.fraction();
  }

  chance(probability: number): boolean {
    return this.fraction() < probability;
  }

  /** Returns one of `items`; throws when there is none. */
  pick<T>(items: readonly T[]): T {
    return at(items, this.int(0, items.length - 1));
  }

  /** Returns the items in another order; the array stays unchanged. */
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
 * Numbers that follow from a seed of 64 bits alone (SplitMix64, Steele, Lea and Flood 2014). The chain campaign uses
 * it: a seed must keep its instructions, so that a seed reported as failing can be replayed. Other code uses `Random`.
 */
export class Random64 {
  #state: bigint;

  constructor(seed: bigint) {
    this.#state = BigInt.asUintN(64, seed);
  }

  /** Returns 64 bits. */
  next(): bigint {
    this.#state = BigInt.asUintN(64, this.#state + 0x9e37_79b9_7f4a_7c15n);
    let z = this.#state;
    z = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58_476d_1ce4_e5b9n);
    z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d0_49bb_1331_11ebn);
    return z ^ (z >> 31n);
  }

  /** Returns a number from 0 to below `count`. */
  below(count: number): number {
    return Number(this.next() % BigInt(count));
  }

  /** Returns a number from `least` to `most`. */
  between(least: number, most: number): number {
    return least + this.below(most - least + 1);
  }

  /** Returns true once in `count`. */
  oneIn(count: number): boolean {
    return this.below(count) === 0;
  }

  pick<T>(list: readonly T[]): T {
    const found = list[this.below(list.length)];
    if (found === undefined) throw new RangeError('nothing to pick from');
    return found;
  }

  /** Returns one of the values, as often as its weight says. */
  weighted<T>(choices: readonly (readonly [number, T])[]): T {
    let at = this.below(choices.reduce((sum, [weight]) => sum + weight, 0));
    for (const [weight, value] of choices) {
      if (at < weight) return value;
      at -= weight;
    }
    throw new RangeError('nothing to choose from');
  }
}

/** Returns the item at an index; throws where there is none. */
export function at<T>(items: readonly T[], index: number): T {
  if (index < 0 || index >= items.length) throw new RangeError(`no item ${index} of ${items.length}`);
  return items[index] as T;
}
