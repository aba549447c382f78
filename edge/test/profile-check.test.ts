import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { simulateMeter, startPtyBus } from '@gridtokenx/simulators';
import { freePort } from '@gridtokenx/testing-kit/free-port';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type CheckOptions, profileCheck } from '../src/cli/profile-check-command.js';
import { TcpSite } from './support/tcp-site.js';

const SDM120 = fileURLToPath(new URL('../profiles/eastron-sdm120.yaml', import.meta.url));
const never = new AbortController().signal;
let site: TcpSite;
let said: string[];
beforeEach(() => {
  site = new TcpSite();
  said = [];
  vi.spyOn(console, 'log').mockImplementation((text) => void said.push(String(text)));
  vi.spyOn(console, 'error').mockImplementation(() => {});
});
afterEach(async () => {
  vi.restoreAllMocks();
  await site.end();
});

describe('profile-check without a meter', () => {
  test('says what the profile bills, its probe, its limits and its requests', async () => {
    expect(await profileCheck(SDM120, {}, never)).toBe(true);
    expect(said).toEqual([
      'eastron-sdm120: Eastron SDM120',
      expect.stringMatching(/^sure by simulator: /),
      'bills import and export: a meter of any role',
      'a new meter has 2400 baud, parity none, 1 stop bit, unit 1',
      expect.stringMatching(/^a request reads at most 80 registers, in pairs; /),
      'probe: voltage is 80 to 300',
      'probe: frequency is 45 to 65',
      'each poll: function 4, registers 70 to 75 (frequency, import, export)',
      'each poll: function 4, registers 0 to 13 (voltage, power)',
      'now and then: function 3, registers 64512 to 64513 (serial)',
      'not read from a meter: give --host or --path',
    ]);
  });

  test('says what a SunSpec profile and one without export are for', async () => {
    await profileCheck(SDM120.replace('eastron-sdm120', 'sunspec-inverter'), {}, never);
    await profileCheck(SDM120.replace('eastron-sdm120', 'chint-dtsu666-b'), {}, never);
    expect(said.filter((line) => line.startsWith('bills'))).toEqual([
      'bills export only: a production meter (role: production)',
      'bills nothing: it has no register for export, so run refuses it',
    ]);
  });

  test('refuses a broken profile and bad options in one line', async () => {
    const file = site.path('mine.yaml');
    writeFileSync(file, readFileSync(SDM120, 'utf8').replace('unit: V,', 'unit: volt,'));
    await expect(profileCheck(file, {}, never)).rejects.toThrow(/^[^\n]*mine\.yaml:17: registers\.voltage\.unit: exp/);
    const cases: [CheckOptions, string][] = [
      [{ unit: 3 }, 'give --host or --path'],
      [{ host: 'a', path: '/dev/x' }, 'give one of them'],
      [{ host: 'a', unit: 256 }, '--unit 256: expected 0 to 255'],
      [{ path: '/dev/x', unit: 0 }, '--unit 0: expected 1 to 247'],
      [{ path: '/dev/x', parity: 'odd or even' }, '--parity odd or even: expected none, even or odd'],
      [{ path: '/dev/x', stopBits: 3 }, '--stop-bits 3: expected 1 or 2'],
      [{ path: '/dev/x', baud: 1 }, '--baud 1: expected 300 to 1000000'],
      [{ host: 'a', port: 0 }, '--port 0: expected 1 to 65535'],
    ];
    for (const [options, text] of cases) await expect(profileCheck(SDM120, options, never)).rejects.toThrow(text);
    expect(said).toEqual([]);
  });
});

describe('profile-check on a meter', () => {
  test.each(['tcp', 'rtu-over-tcp'] as const)('shows each value with its unit (%s)', async (transport) => {
    const port = await site.serve([simulateMeter({ profile: 'eastron-sdm120', unit: 7, serial: 4711 })], transport);
    const raw = transport === 'rtu-over-tcp' ? { raw: true } : {};
    expect(await profileCheck(SDM120, { host: '127.0.0.1', port, unit: 7, ...raw }, never)).toBe(true);
    expect(said.slice(-8)).toEqual([
      ...['import 1234.567 kWh', 'export 345.678 kWh', 'power 0 W', 'voltage 230 V', 'frequency 50 Hz'],
      ...['serial 4711', 'the probe holds', 'the meter fits this profile'],
    ]);
  });

  test('reads a serial line at other settings than those of a new meter, and writes nothing', async () => {
    const settings = { baud: 9_600, parity: 'even' as const };
    const bus = startPtyBus({
      meters: [simulateMeter({ profile: 'eastron-sdm120', unit: 1, settings })],
      link: site.path('port'),
      masterParity: () => 'even',
    });
    try {
      expect(await profileCheck(SDM120, { path: bus.path, ...settings }, never)).toBe(true);
      expect([said.at(-1), bus.line.writes]).toEqual(['the meter fits this profile', 0]);
    } finally {
      await bus.close();
    }
  });

  test('says which request a meter of another model refuses', async () => {
    const port = await site.serve([simulateMeter({ profile: 'orno-or-we-516', unit: 1 })]);
    expect(await profileCheck(SDM120, { host: '127.0.0.1', port }, never)).toBe(false);
    expect(said).toContainEqual(expect.stringMatching(/^function 4, registers 70 to 75: exception \d+, the meter /));
    expect(said.at(-2)).toMatch(/^the probe fails: /);
    expect(said.at(-1)).toBe('the meter does not fit this profile');
  });

  test('is refused in one line where nobody listens', async () => {
    const port = await freePort();
    await expect(profileCheck(SDM120, { host: '127.0.0.1', port }, never)).rejects.toThrow(
      new RegExp(`^127\\.0\\.0\\.1:${port}: .*refused`),
    );
  });
});
