import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { yearPath } from '@gridtokenx/simulators';
import { projectRoot } from '../root.js';
import type { BenchRow } from './table.js';

/** The programs' tests are no workspace package; their bench is built beside them. */
export async function benchPrograms(): Promise<BenchRow[]> {
  const path = join(projectRoot, 'programs/tests/dist/bench.js');
  const { benchChain } = (await import(pathToFileURL(path).href)) as {
    benchChain(csv: string): Promise<BenchRow[]>;
  };
  return benchChain(yearPath);
}
