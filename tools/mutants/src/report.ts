import { writeFileSync } from 'node:fs';
import type { Mutant, Outcome } from './mutant.js';
import type { Options } from './options.js';
import { countsOf, partKilled } from './table.js';

/** Counts the mutants that each rule excludes. */
export function ignoredOf(mutants: readonly Mutant[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { ignored } of mutants) if (ignored !== null) counts[ignored] = (counts[ignored] ?? 0) + 1;
  return counts;
}

/** Writes the findings of a run. */
export function writeReport(
  path: string,
  options: Options,
  all: readonly Mutant[],
  outcomes: readonly Outcome[],
): void {
  const { file, sample, seed, least } = options;
  const report = {
    ...{ file, sample, seed, least, mutants: all.length, ignored: ignoredOf(all) },
    ...{ counts: countsOf(outcomes), percent: partKilled(outcomes) },
    outcomes: [...outcomes].sort((a, b) => (a.mutant.key < b.mutant.key ? -1 : 1)),
  };
  writeFileSync(path, `${JSON.stringify(report, null, 2)}\n`);
}
