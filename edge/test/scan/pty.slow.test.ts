// Slow: a scan of a real line at its own speed. Budget: 120 s.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { simulateMeter } from '@gridtokenx/simulators';
import { expect, test } from 'vitest';
import { doctor } from '../../src/cli/doctor-command.js';
import { scanCommandOf } from '../../src/cli/options.js';
import { scan } from '../../src/cli/scan-command.js';
import { loadGatewayConfig } from '../../src/wiring/config.js';
import { ScanBench, SITE } from '../support/scan-bench.js';

const program = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
/**
 * Runs the gateway as a process, which must exit with 0. The bus lives in this process, so the call is asynchronous.
 */
const gateway = (...args: readonly string[]) =>
  new Promise<void>((resolve, reject) => {
    const child = spawn(process.execPath, [program, ...args], { stdio: 'ignore' });
    child.on('error', reject);
    child.on('close', (code) => (code === 0 ? resolve() : reject(new Error(`${args[0]} ended with ${code}`))));
  });
const bench = new ScanBench();

test('five unknown meters on a real pty, and a configuration that runs', { timeout: 180_000 }, async () => {
  const meters = [
    simulateMeter({ profile: 'orno-or-we-516', unit: 3, settings: { baud: 9_600 }, turnaroundMs: [15, 50] }),
    simulateMeter({ profile: 'orno-or-we-525', unit: 8, settings: { baud: 9_600 } }),
    simulateMeter({ profile: 'abb-b2x', unit: 2, settings: { baud: 19_200 } }),
    simulateMeter({ profile: 'chint-dtsu666-a', unit: 6, settings: { baud: 38_400 } }),
    simulateMeter({ profile: 'dzg-dvh4013', unit: 10, settings: { baud: 115_200 } }),
  ];
  const bus = bench.start({ meters });
  const out = bench.path('gateway.yaml');
  const options = { ...SITE, out, base: bench.base(), expect: 5, serial: ['3=4710', '8=4711'] };
  const command = scanCommandOf(bus.path, { ...options, model: ['3=OR-WE-516', '8=OR-WE-525'] });
  await scan(command, new AbortController().signal);
  const found = bench.said.filter((text) => text.startsWith('found after'));
  expect(found).toHaveLength(5);
  expect(found.map((text) => /profile ([a-z0-9-]+)/.exec(text)?.[1]).sort()).toEqual(
    ['abb-b2x', 'orno-or-we-516', 'chint-dtsu666-a', 'dzg-dvh4013', 'orno-or-we-525'].sort(),
  );
  expect(bus.line.writes).toBe(0);
  // The two meters of one speed are in it; the output names the others.
  const config = loadGatewayConfig(out);
  expect(config.meters.map(({ unit, serial }) => [unit, serial])).toEqual([
    [3, '4710'],
    [8, '4711'],
  ]);
  expect(readFileSync(out, 'utf8').match(/# Not in this configuration/g)).toHaveLength(3);
  await expect(scan(command, new AbortController().signal)).rejects.toThrow(/exists: .*--force/);

  bench.said.length = 0;
  expect([await doctor(config, 'line', new AbortController().signal), bench.said.at(-1)]).toEqual([
    true,
    'bus line: well (meter-3, meter-8 answer by their profiles)',
  ]);
  await gateway('init', '--config', out);
  await gateway('enrol', '--config', out, '--out', bench.path('enrolment.json'));
  expect(JSON.parse(readFileSync(bench.path('enrolment.json'), 'utf8'))).toMatchObject([
    { name: 'meter-3', import_wh: '1234567' },
    { name: 'meter-8', import_wh: '1234560' },
  ]);
  expect(bus.line.writes).toBe(0);
});
