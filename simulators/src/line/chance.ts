import type { Random } from '@gridtokenx/runtime/core';

/** Chance that a simulated line takes its faults from. */
export type Chance = Pick<Random, 'fraction'>;

/** Whole number from `low` to `high`, both inclusive. */
export const whole = (chance: Chance, low: number, high: number): number =>
  low + Math.floor(chance.fraction() * (high - low + 1));

/** Numbers that follow from a seed alone: a Weyl sequence behind an avalanche of 32 bits. */
export function seededChance(seed: number): Chance {
  let state = Math.imul(seed, 0x01000193) >>> 0;
  return {
    fraction() {
      state = (state + 0x9e3779b9) >>> 0;
      let z = state;
      z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
      z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
      return ((z ^ (z >>> 15)) >>> 0) / 2 ** 32;
    },
  };
}
