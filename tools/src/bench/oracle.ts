import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { projectRoot } from '../root.js';
import { type BenchRow, median, ratioText } from './table.js';

const ROUNDS = 9;
const MESSAGES = 8_000;

interface Round {
  readonly bare: number;
  readonly admitted: number;
  readonly stored: number;
}

/**
 * The oracle's own code against bare libsodium on the same messages, in this process and in turn. `directory` should
 * lie on a disk: the ledger's commits are synced there.
 */
export async function benchOracle(directory: string): Promise<BenchRow[]> {
  // Applications are not imported: their bench is loaded from where the build put it.
  const path = join(projectRoot, 'oracle/dist/bench/hot-path.js');
  const { benchHotPath } = (await import(pathToFileURL(path).href)) as {
    benchHotPath(directory: string, rounds: number, count: number): Round[];
  };
  benchHotPath(directory, 1, MESSAGES);
  const rounds = benchHotPath(directory, ROUNDS, MESSAGES);
  const [admitted, stored] = [rounds.map((r) => r.admitted / r.bare), rounds.map((r) => r.stored / r.bare)];
  const bare = `${Math.round(median(rounds.map((r) => r.bare))).toLocaleString('en-GB')}/s bare libsodium`;
  const row = (name: string, value: number, unit: string, toBeat: string, goal: string): BenchRow => ({
    name,
    value,
    unit,
    toBeat,
    goal,
  });
  return [
    row('messages split, parsed, hashed, verified', median(rounds.map((r) => r.admitted)), '/s', bare, ''),
    row('  as part of bare libsodium', median(admitted), '', ratioText(admitted), '>= 0.9'),
    row('the same, judged and committed (fdatasync)', median(rounds.map((r) => r.stored)), '/s', bare, ''),
    row('  as part of bare libsodium', median(stored), '', ratioText(stored), '>= 0.9'),
  ];
}
