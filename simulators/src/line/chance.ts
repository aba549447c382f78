import { type Random, SeededRandom } from '@gridtokenx/runtime/core';

/** Chance that a simulated line takes its faults from. */
export type Chance = Pick<Random, 'fraction'>;

/** Whole number from `low` to `high`, both inclusive. */
export const whole = (chance: Chance, low: number, high: number): number =>
  low + Math.floor(chance.fraction() * (high - low + 1));

/** Numbers that follow from a seed alone. */
export const seededChance = (seed: number): Chance => new SeededRandom(Math.imul(seed, 0x01000193));
