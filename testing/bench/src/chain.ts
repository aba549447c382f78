import { yearPath } from '@gridtokenx/simulators';
import { benchChain } from './programs/units.js';
import type { BenchRow } from './table.js';

/** Measures the on-chain programs on the real year of one home. */
export function benchPrograms(): Promise<BenchRow[]> {
  return benchChain(yearPath);
}
