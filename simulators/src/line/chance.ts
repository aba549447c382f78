import { type Random, SeededRandom } from '@gridtokenx/runtime/core';

/** Randomness from which a simulated line draws its faults. */
export type Chance = Pick<Random, 'fraction'>;

/** Draws a whole number from `low` to `high`, both inclusive. */
export const whole = (chance: Chance, low: number, high: number): number =>
  low + Math.floor(chance.fraction() * (high - low + 1));

/** Draws numbers that follow from a seed alone. */
export const seededChance = (seed: number): Chance => new SeededRandom(Math.imul(seed, 0x01000193));
