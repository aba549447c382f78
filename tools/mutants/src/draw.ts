import { createHash } from 'node:crypto';
import type { Mutant } from './mutant.js';

const rank = (seed: number, key: string): string => createHash('sha256').update(`${seed}\n${key}`).digest('hex');

/**
 * Draws `count` mutants, or all when there are fewer. The seed ranks each mutant by itself. So the draw does not depend
 * on the order of the list, and a change of one source moves no mutant of another.
 */
export function draw(mutants: readonly Mutant[], count: number, seed: number): Mutant[] {
  return mutants
    .filter(({ ignored }) => ignored === null)
    .map((mutant) => ({ mutant, at: rank(seed, mutant.key) }))
    .sort((a, b) => (a.at < b.at ? -1 : 1))
    .slice(0, count)
    .map(({ mutant }) => mutant);
}

/** Divides a sample between the languages by their lines. */
export function shares(count: number, lines: { typescript: number; rust: number }): typeof lines {
  const rust = Math.round((count * lines.rust) / (lines.typescript + lines.rust));
  return { typescript: count - rust, rust };
}
