import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { projectRoot } from '@gridtokenx/devnet/root';
import { simulateMeter, startPtyBus } from '@gridtokenx/simulators';
import type { BenchRow } from './table.js';

/** Five meters that the gateway does not know: speeds, units and makers all differ. */
const METERS = [
  { profile: 'carlo-gavazzi-em24-rs485', unit: 3, settings: { baud: 9_600 }, turnaroundMs: [20, 60] },
  { profile: 'dzg-dvh4013', unit: 17, settings: { baud: 2_400 }, turnaroundMs: [20, 40] },
  { profile: 'abb-b2x', unit: 101, settings: { baud: 19_200 }, turnaroundMs: [10, 40] },
  { profile: 'chint-dtsu666-a', unit: 62, settings: { baud: 38_400 }, turnaroundMs: [15, 30] },
  { profile: 'orno-or-we-525', unit: 247, settings: { baud: 4_800 }, turnaroundMs: [20, 45] },
] as const;
const LIMIT_MS = 400_000;

/**
 * Runs the command `scan` in its own process, on a pseudo-terminal with five meters whose master end the simulators
 * hold. The bench reads the line speed from the kernel and counts the requests there. A pty does not show parity.
 */
export async function benchScan(folder: string): Promise<BenchRow[]> {
  const meters = METERS.map((meter) => simulateMeter(meter));
  const bus = startPtyBus({ meters, link: join(folder, 'bus') });
  try {
    const found = await runScan(bus.path, folder);
    const wanted = METERS.map(({ unit, settings, profile }) => `unit ${unit} at ${settings.baud} ${profile}`).sort();
    const got = found.map(({ what }) => what).sort();
    if (got.join() !== wanted.join()) throw new Error(`found ${got.join(', ')}, not ${wanted.join(', ')}`);
    const seconds = found.map(({ seconds: after }) => after);
    const { writes, requests, unheard } = bus.line;
    const asked = [...requests.values()].reduce((sum, count) => sum + count, unheard);
    return [
      { name: 'time to the first usable meter', value: Math.min(...seconds), unit: 's', toBeat: '', goal: '<= 60' },
      { name: 'time to all five', value: Math.max(...seconds), unit: 's', toBeat: '', goal: '<= 180' },
      { name: 'requests that could change a meter', value: writes, unit: `of ${asked}`, toBeat: '', goal: '<= 0' },
    ];
  } finally {
    await bus.close();
  }
}

interface Found {
  readonly seconds: number;
  readonly what: string;
}

const FOUND = /^found after (\d+) s: (unit \d+ at \d+) 8..: .*profile ([a-z0-9-]+);/;

function runScan(port: string, folder: string): Promise<Found[]> {
  const options = ['--expect', String(METERS.length), '--yes', '--out', join(folder, 'gateway.yaml')];
  const child = spawn(process.execPath, [join(projectRoot, 'edge/dist/main.js'), 'scan', port, ...options], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const found: Found[] = [];
  let last = '';
  createInterface({ input: child.stderr }).on('line', (line) => {
    last = line;
    const match = FOUND.exec(line);
    if (match) found.push({ seconds: Number(match[1]), what: `${match[2]} ${match[3]}` });
  });
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => child.kill(), LIMIT_MS);
    child.on('error', reject);
    child.on('close', (code) => {
      clearTimeout(timer);
      if (code === 0) resolve(found);
      else reject(new Error(`scan ended with ${code}: ${last}`));
    });
  });
}
