import { EventEmitter } from 'node:events';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@gridtokenx/testing-kit/free-port';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { examinationOf, withUsers } from '../../src/cli/doctor/bus.js';
import { doctor } from '../../src/cli/doctor-command.js';
import { untilStopped } from '../../src/cli/main.js';
import { portUsers } from '../../src/cli/port-users.js';
import type { Finding } from '../../src/domain/doctor/diagnose.js';
import type { BusConfig, GatewayConfig } from '../../src/wiring/config.js';

const SERIAL = { name: 'rs485', transport: 'serial', path: '/dev/x', baud: 9_600, parity: 'none', stop_bits: 1 };
const TCP = { name: 'lan', transport: 'tcp', host: '127.0.0.1', port: 1 };
const METERS = [
  { name: 'house', bus: 'rs485', unit: 7, profile: 'eastron-sdm630' },
  { name: 'roof', bus: 'rs485', unit: 8, profile: 'sunspec-meter' },
  { name: 'barn', bus: 'lan', unit: 9, profile: 'eastron-sdm630' },
];
const configOf = (change: object = {}) =>
  ({
    data_dir: '/none',
    buses: [SERIAL, TCP],
    meters: METERS,
    request_timeout_ms: 700,
    ...change,
  }) as unknown as GatewayConfig;
const never = new AbortController().signal;

let said: string[];
beforeEach(() => {
  said = [];
  vi.spyOn(console, 'log').mockImplementation((text) => void said.push(String(text)));
  vi.spyOn(console, 'error').mockImplementation((text) => void said.push(String(text)));
});
afterEach(() => vi.restoreAllMocks());

describe('the command doctor', () => {
  test('examines the meters of a bus with registers of their own, also at other settings of a serial line', () => {
    const serial = examinationOf(configOf(), SERIAL as unknown as BusConfig);
    expect(serial).toMatchObject({
      ...{ name: 'rs485', target: { kind: 'serial', path: '/dev/x' }, sunspec: [{ name: 'roof' }], waitMs: 700 },
      setting: { transport: 'serial', baud: 9_600, parity: 'none', stopBits: 1 },
      meters: [{ name: 'house', unit: 7, profile: { id: 'eastron-sdm630' } }],
    });
    expect(serial.meters).toHaveLength(1);
    expect(serial.settings.length).toBeGreaterThan(4);
    expect(serial.settings.length).toBeLessThanOrEqual(16);
    expect(examinationOf(configOf({ request_timeout_ms: 30_000 }), TCP as unknown as BusConfig)).toMatchObject({
      ...{ name: 'lan', target: { kind: 'network', host: '127.0.0.1', port: 1 }, setting: { transport: 'tcp' } },
      ...{ meters: [{ name: 'barn', unit: 9 }], sunspec: [], waitMs: 1_000, settings: [] },
    });
  });

  test('refuses a bus that there is not, and names those that there are', async () => {
    await expect(doctor(configOf(), 'attic', never)).rejects.toThrow(/there is no bus "attic": .*rs485, lan$/);
  });

  test('finds a problem where nobody listens', async () => {
    const bus = { ...TCP, port: await freePort() };
    expect(await doctor(configOf({ buses: [SERIAL, bus] }), 'lan', never)).toBe(false);
    expect(said).toEqual([
      'disk, keys, clock, broker, oracles: not looked at: --bus names a bus',
      expect.stringMatching(/^lan \(.*\): examining 1 meters, by reads only$/),
      expect.stringMatching(/^bus lan: connection refused/),
    ]);
  });

  test('examines nothing once it is stopped', async () => {
    expect(await doctor(configOf(), undefined, AbortSignal.abort())).toBe(true);
    expect(said).toEqual([
      'disk, keys, clock, broker, oracles: not looked at: stopped',
      'bus rs485: not looked at: stopped',
      'bus lan: not looked at: stopped',
    ]);
  });

  test.each(['SIGTERM', 'SIGINT'])('stops at the first %s, and leaves the second to the system', (name) => {
    const events = new EventEmitter();
    const signal = untilStopped(events);
    expect(signal.aborted).toBe(false);
    events.emit(name);
    expect([signal.aborted, events.listenerCount(name)]).toEqual([true, 0]);
  });
});

describe('a locked port', () => {
  const finding = (text: string): Finding => ({ level: 'problem', where: 'rs485', text });

  test('names the programs that have it open, where there are any', () => {
    const locked = finding('the port is locked: another program uses it');
    expect(withUsers(locked, () => ['a (process 1)', 'process 2']).text).toBe(
      `${locked.text}: a (process 1), process 2. Stop it first`,
    );
    expect(withUsers(locked, () => [])).toBe(locked);
    const other = finding('nothing answers');
    expect(withUsers(other, () => ['a'])).toBe(other);
  });

  test('is open in those whose descriptors lead to it', () => {
    const dir = realpathSync(mkdtempSync(join(tmpdir(), 'proc-')));
    const [port, link, proc] = [join(dir, 'port'), join(dir, 'link'), join(dir, 'proc')];
    writeFileSync(port, '');
    symlinkSync(port, link);
    const process = (pid: string, files: readonly string[], comm?: string) => {
      mkdirSync(join(proc, pid, 'fd'), { recursive: true });
      for (const [i, file] of files.entries()) symlinkSync(file, join(proc, pid, 'fd', String(i)));
      if (comm !== undefined) writeFileSync(join(proc, pid, 'comm'), `${comm}\n`);
    };
    process('11', ['/dev/null', port, port], 'minicom');
    process('12', ['/dev/null'], 'bash');
    process('13', [port]);
    process('self', [port], 'not a number');
    process('1x', [port], 'not a number');
    mkdirSync(join(proc, '14'));
    expect(portUsers(link, proc)).toEqual(['minicom (process 11)', 'process 13']);
    expect(portUsers(join(dir, 'none'), proc)).toEqual([]);
    expect(portUsers(port, join(dir, 'none'))).toEqual([]);
    rmSync(dir, { recursive: true });
  });
});
