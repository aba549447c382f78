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

/** The item at an index that must be there. */
export function at<T>(items: readonly T[], index: number): T {
  if (index < 0 || index >= items.length) throw new RangeError(`no item ${index} of ${items.length}`);
  return items[index] as T;
}
