import { at, Random } from '@gridtokenx/testing-kit/random';

/** A kind of world, and how many seeds of each block it gets. */
export interface Share {
  readonly seeds: number;
}

/**
 * Draws the kind of world that a seed plays. Blocks of as many seeds as all shares together begin at seed 1; within a block
 * the order is drawn, so a full run has exactly its shares, and any seeds of it are a mixture. `name` keeps the draws of
 * campaigns apart.
 */
export function drawKind<T extends Share>(seed: number, kinds: readonly T[], name: string): T {
  const all = kinds.flatMap((kind) => Array<T>(kind.seeds).fill(kind));
  const block = Math.floor((seed - 1) / all.length);
  const place = seed - 1 - block * all.length;
  return at(new Random(block, `${name}/kinds`).shuffled(all), place);
}
