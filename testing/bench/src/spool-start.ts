import { fork } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '@gridtokenx/devnet/root';
import { fillSpool } from './spool/fill.js';
import type { SpoolStart } from './spool/start-child.js';
import { type BenchRow, figure, median } from './table.js';

const RECORDS = 1_000_000;
const STARTS = 5;
const CHILD = join(projectRoot, 'testing/bench/dist/spool/start-child.js');

/** Starts on a spool of a million records, in a process of its own that has loaded the whole gateway. */
export async function benchSpoolStart(folder: string): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  for (const [name, every] of [
    ['no statement after them', 0],
    ['statements between them', 900],
  ] as const) {
    const dir = join(folder, `spool-${every}`);
    await fillSpool(dir, RECORDS, every);
    const starts: SpoolStart[] = [];
    for (let i = 0; i < STARTS; i++) starts.push(await start(dir));
    const base = `${figure(median(starts.map(({ baseMb }) => baseMb)))} MB before`;
    const ms = median(starts.map((one) => one.ms));
    const rssMb = Math.max(...starts.map((one) => one.rssMb));
    rows.push({ name: `start, ${name}`, value: ms / 1_000, unit: 's', toBeat: '', goal: '<= 2' });
    rows.push({ name: `memory, ${name}`, value: rssMb, unit: 'MB', toBeat: base, goal: '<= 110' });
    rmSync(join(dir, 'checkpoint'));
    const slow = await start(dir);
    rows.push({ name: '  once without a checkpoint', value: slow.ms / 1_000, unit: 's', toBeat: '', goal: '' });
  }
  return rows;
}

function start(dir: string): Promise<SpoolStart> {
  return new Promise((resolve, reject) => {
    const child = fork(CHILD, [dir]);
    child.once('message', (found) => resolve(found as SpoolStart));
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`the start ended with ${code}`)));
  });
}
