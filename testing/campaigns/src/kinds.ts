import { at, Random } from '@gridtokenx/testing-kit/random';

/** A kind of world, and its number of seeds in each block. */
export interface Share {
  readonly seeds: number;
}

/**
 * Draws the kind of world that a seed plays. Each block has as many seeds as all shares together; the first begins at
 * seed 1. The order within a block is drawn, so a full run has exactly its shares, and any seeds of it are a mixture.
 * `name` separates the draws of campaigns.
 */
export function drawKind<T extends Share>(seed: number, kinds: readonly T[], name: string): T {
  const all = kinds.flatMap((kind) => Array<T>(kind.seeds).fill(kind));
  const block = Math.floor((seed - 1) / all.length);
  const place = seed - 1 - block * all.length;
  return at(new Random(block, `${name}/kinds`).shuffled(all), place);
}
