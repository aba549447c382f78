import { fork } from 'node:child_process';
import { join } from 'node:path';
import { projectRoot } from '@gridtokenx/devnet/root';
import type { Outage } from './spool/outage-child.js';
import type { BenchRow } from './table.js';

const HOURS = 72;
const CAP_BYTES = 256e6;
const CHILD = join(projectRoot, 'testing/bench/dist/spool/outage-child.js');

/** Signs 72 hours of ten meters at 1 Hz without a broker, with and without a known clock, and sends the rest then. */
export async function benchOutage(folder: string): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  for (const clock of ['known', 'unknown']) {
    const found = await play([join(folder, clock), String(HOURS), clock, String(CAP_BYTES)]);
    const row = (name: string, value: number, unit: string, goal: string, toBeat = '') =>
      rows.push({ name: `${name}, clock ${clock}`, value, unit, toBeat, goal });
    row('bytes of the spool', found.bytes / 1e6, 'MB', '<= 258');
    row('readings kept', (100 * found.kept) / found.readings, '%', '>= 45', `of ${found.readings}`);
    row('seqs neither kept nor declared', found.undeclared, '', '<= 0');
    row('energy missing in the newest registers', found.missingWh, 'Wh', '<= 0');
    row('memory from hour 12 to 72', found.growthMb, 'MB more', '<= 10');
    row('drained', found.drainedPerSecond, 'messages/s', '>= 5000');
    row('readings before the last statement', found.readingsFirst, '', '<= 0', `${found.statements} statements`);
  }
  return rows;
}

function play(args: readonly string[]): Promise<Outage> {
  return new Promise((resolve, reject) => {
    const child = fork(CHILD, [...args]);
    child.once('message', (found) => resolve(found as Outage));
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`the outage ended with ${code}`)));
  });
}
