import { execFile, fork } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { projectRoot } from '@gridtokenx/devnet/root';
import { type BenchRow, figure, median } from './table.js';

const run = promisify(execFile);
const ROUNDS = 5;
const READS = 50;
/** Stops a reader that takes longer than this: it would not end by itself. */
const MAX_MS = 120_000;

/** The report of a reader's process: CPU milliseconds for each read, and the number of answers. */
interface Cost {
  readonly cpuMs: number;
  readonly good: number;
  readonly failed: number;
}

type Reader = (path: string) => Promise<Cost>;

/**
 * Measures the CPU time of a read of 80 registers at a paced 9,600 baud. Compares the gateway's bus, plain
 * modbus-serial and libmodbus in turn.
 */
export async function benchBusCost(folder: string): Promise<BenchRow[]> {
  const meter = fork(fileURLToPath(new URL('./bus-cost/meter.js', import.meta.url)), { execArgv: [] });
  try {
    const path = await new Promise<string>((resolve, reject) => {
      meter.once('message', (said) => resolve(String(said)));
      meter.once('exit', () => reject(new Error('the simulated meter ended: is there a /dev/ptmx?')));
    });
    const libmodbus = await buildLibmodbus(folder);
    const readers: [string, Reader][] = [
      ['the gateway', nodeReader('ours')],
      ['modbus-serial', nodeReader('plain')],
      ...(libmodbus ? [['libmodbus', libmodbus] as [string, Reader]] : []),
    ];
    const costs = new Map<string, Cost[]>(readers.map(([name]) => [name, []]));
    for (let round = 0; round < ROUNDS; round++)
      for (const [name, reader] of readers) costs.get(name)?.push(await reader(path));
    return rowsOf(costs);
  } finally {
    meter.disconnect();
  }
}

function rowsOf(costs: ReadonlyMap<string, readonly Cost[]>): BenchRow[] {
  const of = (name: string) => (costs.get(name) ?? []).map(({ cpuMs }) => cpuMs);
  const text = (name: string) => (of(name).length > 0 ? `${figure(median(of(name)))} ms` : 'absent');
  return [...costs].map(([name, list]): BenchRow => {
    const sum = (what: 'good' | 'failed') => list.reduce((all, cost) => all + cost[what], 0);
    const isOurs = name === 'the gateway';
    return {
      name: `${name}: CPU for a read (${sum('good')} good, ${sum('failed')} failed)`,
      value: median(of(name)),
      unit: `ms (${figure(Math.min(...of(name)))} to ${figure(Math.max(...of(name)))})`,
      toBeat: isOurs ? `modbus-serial ${text('modbus-serial')}, libmodbus ${text('libmodbus')}` : '',
      goal: isOurs ? '<= 3' : '',
    };
  });
}

/** Starts a reader in its own process. Benches import no application, so this runs the built file. */
function nodeReader(which: 'ours' | 'plain'): Reader {
  const script = join(projectRoot, 'testing/bench/dist/edge/bus-cost.js');
  return (path) =>
    new Promise((resolve, reject) => {
      const child = fork(script, [which, path, String(READS)], { execArgv: [], timeout: MAX_MS });
      child.once('message', (said) => resolve(said as Cost));
      child.once('error', reject);
      child.once('exit', (code) => reject(new Error(`the reader "${which}" ended with ${code}`)));
    });
}

/** Builds a reader with libmodbus; null where there is no compiler or no libmodbus-dev. */
async function buildLibmodbus(folder: string): Promise<Reader | null> {
  const program = join(folder, 'libmodbus');
  const source = fileURLToPath(new URL('./bus-cost/libmodbus.c', import.meta.url));
  try {
    await run('cc', ['-O2', '-I/usr/include/modbus', '-o', program, source, '-lmodbus']);
  } catch {
    return null;
  }
  return async (path) => {
    const { stdout } = await run(program, [path, String(READS)], { timeout: MAX_MS });
    const [cpuMs = Number.NaN, good = 0, failed = 0] = stdout.trim().split(' ').map(Number);
    return { cpuMs, good, failed };
  };
}
