import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type PtyBus, simulateMeter, startPtyBus } from '@gridtokenx/simulators';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { doctor } from '../../src/cli/doctor-command.js';
import { scanCommandOf } from '../../src/cli/options.js';
import { scan } from '../../src/cli/scan-command.js';
import { loadGatewayConfig } from '../../src/wiring/config.js';

const OWNER = '9xQeWvG816bUx9EPjHmaT23yvVM2ZWbrrpZb9PusVFin';
const program = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
/** The gateway as a process; it has to end well. The bus lives in this one, so it is waited for. */
const gateway = (...args: readonly string[]) =>
  new Promise<void>((resolve, reject) => {
    const child = spawn(process.execPath, [program, ...args], { stdio: 'ignore' });
    child.on('error', reject);
    child.on('close', (code) => (code === 0 ? resolve() : reject(new Error(`${args[0]} ended with ${code}`))));
  });
let folder: string;
let bus: PtyBus | null = null;
const said: string[] = [];
let onFound = () => {};

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'scan-'));
  said.length = 0;
  onFound = () => {};
  vi.spyOn(console, 'log').mockImplementation((text) => void said.push(String(text)));
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    said.push(String(text).trimEnd());
    if (String(text).startsWith('found after')) onFound();
    return true;
  });
});
afterEach(async () => {
  vi.restoreAllMocks();
  await bus?.close();
  bus = null;
  rmSync(folder, { recursive: true });
});

const base = () => {
  const file = join(folder, 'site.yaml');
  const text = `network_id: "0011223344556677"\ndata_dir: ${join(folder, 'data')}\nname: home-1\nbroker: { url: "mqtt://127.0.0.1:1", name: dev }\noracles: [{ key: "${OWNER}" }]\n`;
  writeFileSync(file, text);
  return file;
};
const site = { owner: OWNER, zone: 1, exportLimitW: 10_000, importLimitW: 20_000, yes: true, model: [], profile: [] };

test('five unknown meters on a real pty, and a configuration that runs', { timeout: 180_000 }, async () => {
  const meters = [
    simulateMeter({ profile: 'orno-or-we-516', unit: 3, settings: { baud: 9_600 }, turnaroundMs: [15, 50] }),
    simulateMeter({ profile: 'orno-or-we-525', unit: 8, settings: { baud: 9_600 } }),
    simulateMeter({ profile: 'abb-b2x', unit: 2, settings: { baud: 19_200 } }),
    simulateMeter({ profile: 'chint-dtsu666-a', unit: 6, settings: { baud: 38_400 } }),
    simulateMeter({ profile: 'dzg-dvh4013', unit: 10, settings: { baud: 115_200 } }),
  ];
  bus = startPtyBus({ meters, link: join(folder, 'port') });
  const out = join(folder, 'gateway.yaml');
  const options = { ...site, out, base: base(), expect: 5, serial: ['3=4710', '8=4711'] };
  const command = scanCommandOf(bus.path, { ...options, model: ['3=OR-WE-516', '8=OR-WE-525'] });
  await scan(command, new AbortController().signal);
  const found = said.filter((text) => text.startsWith('found after'));
  expect(found).toHaveLength(5);
  expect(found.map((text) => /profile ([a-z0-9-]+)/.exec(text)?.[1]).sort()).toEqual(
    ['abb-b2x', 'orno-or-we-516', 'chint-dtsu666-a', 'dzg-dvh4013', 'orno-or-we-525'].sort(),
  );
  expect(bus.line.writes).toBe(0);
  // The two of one speed are in it, the others are named.
  const config = loadGatewayConfig(out);
  expect(config.meters.map(({ unit, serial }) => [unit, serial])).toEqual([
    [3, '4710'],
    [8, '4711'],
  ]);
  expect(readFileSync(out, 'utf8').match(/# Not in this configuration/g)).toHaveLength(3);
  await expect(scan(command, new AbortController().signal)).rejects.toThrow(/exists: .*--force/);

  said.length = 0;
  expect([await doctor(config, undefined, new AbortController().signal), said.at(-1)]).toEqual([
    true,
    'line: all is well',
  ]);
  await gateway('init', '--config', out);
  await gateway('enrol', '--config', out, '--out', join(folder, 'enrolment.json'));
  expect(JSON.parse(readFileSync(join(folder, 'enrolment.json'), 'utf8'))).toMatchObject([
    { name: 'meter-3', import_wh: '1234567' },
    { name: 'meter-8', import_wh: '1234560' },
  ]);
  expect(bus.line.writes).toBe(0);
});

test('a scan names another master on a real pty', {
  timeout: 60_000,
}, async () => {
  const meter = simulateMeter({ profile: 'eastron-sdm630', unit: 1, settings: { baud: 9_600 } });
  const secondMaster = { everyMs: 500, unit: 1, fn: 4, address: 0, count: 2 } as const;
  bus = startPtyBus({ meters: [meter], link: join(folder, 'port'), secondMaster });
  const out = join(folder, 'gateway.yaml');
  const command = scanCommandOf(bus.path, { ...site, out, base: base(), serial: [] });
  await expect(scan(command, new AbortController().signal)).rejects.toThrow(
    /another device polls meters on this line \(unit 1/,
  );
});

test('a scan that was stopped writes nothing, goes on from there, and writes what was found', {
  timeout: 60_000,
}, async () => {
  const meters = [2, 5].map((unit) => simulateMeter({ profile: 'orno-or-we-516', unit, settings: { baud: 9_600 } }));
  bus = startPtyBus({ meters, link: join(folder, 'port') });
  const out = join(folder, 'gateway.yaml');
  const serial = ['2=1', '5=2'];
  const options = { ...site, out, base: base(), serial, model: ['2=OR-WE-516', '5=OR-WE-517'] };
  const stop = new AbortController();
  onFound = () => stop.abort();
  await scan(scanCommandOf(bus.path, options), stop.signal);
  expect(said.filter((text) => text.startsWith('found after'))).toHaveLength(1);
  expect(existsSync(out)).toBe(false);
  onFound = () => {};
  said.length = 0;
  await scan(scanCommandOf(bus.path, { ...options, expect: 2 }), new AbortController().signal);
  expect(said[0]).toMatch(/going on where the last scan of this port stopped: .* 1 found/);
  expect(loadGatewayConfig(out).meters.map(({ unit, model }) => [unit, model])).toEqual([
    [2, 'OR-WE-516'],
    [5, 'OR-WE-517'],
  ]);
});
