import { chmodSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { base58Encode } from '@gridtokenx/protocol';
import { ModbusServer, simulateMeter } from '@gridtokenx/simulators';
import { certificateRoom, mayMakeCertificates, openFiles } from '@gridtokenx/testing-kit/certificates';
import { freePort } from '@gridtokenx/testing-kit/free-port';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { connect, endAll, type Fixture, optionsFor, signerOf, startFixture } from '../../../broker/test/harness.js';
import { Authority } from '../../../deploy/tls/certificates.js';
import { lockDirectory } from '../../src/adapters/lock/lock.js';
import type { DoctorPorts } from '../../src/cli/doctor/check.js';
import { doctor } from '../../src/cli/doctor-command.js';
import { DoctorBench, PORTS, shifted, sunspecInverter } from '../support/doctor-bench.js';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const never = new AbortController().signal;
const failing = (code: string) => Object.assign(new Error(code), { code, syscall: 'open' });

/** How a fault is staged: a change of the configuration, of the machine, and the way back. */
interface Staged {
  readonly change?: object;
  readonly ports?: Partial<DoctorPorts>;
  readonly undo?: () => void | Promise<void>;
}

const room = certificateRoom();
const bench = new DoctorBench();
const fixtures: Fixture[] = [];
const meters: ModbusServer[] = [];
let said: string[];
beforeAll(() => bench.start());
afterAll(async () => {
  endAll();
  for (const one of [...fixtures, ...meters]) await one.close();
  await bench.end();
});
beforeEach(() => {
  said = [];
  vi.spyOn(console, 'log').mockImplementation((text) => void said.push(String(text)));
  vi.spyOn(console, 'error').mockImplementation(() => {});
});
afterEach(() => vi.restoreAllMocks());

/** Moves a file or folder of the data directory away. */
function without(...names: string[]): Staged {
  const path = join(bench.site.path('data'), ...names);
  renameSync(path, `${path}.away`);
  return { undo: () => renameSync(`${path}.away`, path) };
}

/** Serves other meters than those of the bench. */
async function otherMeters(...list: Parameters<typeof simulateMeter>[0][]): Promise<object> {
  const server = new ModbusServer('tcp', list.map(simulateMeter));
  meters.push(server);
  return bench.first('buses', { port: await server.listen('127.0.0.1', 0) });
}

/** A broker behind TLS, and an entry of the configuration that trusts its authority. */
async function secured(request: Parameters<typeof room.issue>[0], caFile = room.authority.cert): Promise<Staged> {
  const fixture = await startFixture({ certificate: openFiles(room.issue(request), () => 0).files });
  fixtures.push(fixture);
  return { change: { broker: { ...brokerOf(`mqtts://127.0.0.1:${fixture.port}`), ca_file: caFile } } };
}

const brokerOf = (url: string) => ({ ...(bench.values.broker as object), url });

/** Answers each request of Modbus TCP with an exception. */
async function exceptions(code: number): Promise<object> {
  const port = await bench.device((socket) =>
    socket.on('data', (bytes: Buffer) => {
      const [unit = 0, fn = 0] = [bytes[6], bytes[7]];
      socket.write(Buffer.from([bytes[0] ?? 0, bytes[1] ?? 0, 0, 0, 0, 3, unit, fn | 0x80, code]));
    }),
  );
  return bench.first('buses', { port });
}

const stages: Readonly<Record<string, () => Staged | Promise<Staged>>> = {
  'no data directory': () => ({ change: { data_dir: bench.site.path('none') } }),
  'read-only disk': () => ({
    ports: {
      probeFolder: () => {
        throw failing('EROFS');
      },
    },
  }),
  'full disk': () => ({ ports: { freeBytes: () => 1_048_576 } }),
  'no gateway key': () => without('keys', 'gateway.json'),
  'key that others read': () => {
    const file = bench.site.path('data', 'keys', 'gateway.json');
    chmodSync(file, 0o644);
    return { undo: () => chmodSync(file, 0o600) };
  },
  'key of another meter': () => ({ change: bench.first('meters', { serial: '4711' }) }),
  'damaged key': () => {
    const file = bench.site.path('data', 'keys', 'meter-main.json');
    const whole = readFileSync(file, 'utf8');
    writeFileSync(
      file,
      whole.replace(/"seed":"(.)/, (_, digit) => `"seed":"${digit === '0' ? '1' : '0'}`),
    );
    return { undo: () => writeFileSync(file, whole) };
  },
  'meter not enrolled': () => without('spool'),
  'port of the page taken': async () => {
    const url = await bench.http((_, response) => void response.end('<h1>another program</h1>'));
    return { change: { http: { host: '127.0.0.1', port: Number(new URL(url).port) } } };
  },
  'unknown host of the broker': () => ({
    change: { broker: brokerOf('mqtt://broker.example:1883') },
    ports: { lookup: () => Promise.reject(failing('ENOTFOUND')) },
  }),
  'no broker': async () => ({ change: { broker: brokerOf(`mqtt://127.0.0.1:${await freePort()}`) } }),
  'no second broker': async () => {
    const second = brokerOf(`mqtt://127.0.0.1:${await freePort()}`);
    return { change: { broker: undefined, brokers: [bench.values.broker, second] } };
  },
  'broker without TLS': () => ({
    change: { broker: { ...brokerOf(`mqtts://127.0.0.1:${bench.broker.port}`), ca_file: room.authority.cert } },
  }),
  'unknown authority': () => secured({}, new Authority(join(room.folder, 'other')).cert),
  'certificate for another name': () => secured({ names: ['broker.example'] }),
  'expired certificate': () =>
    secured({ from: new Date(Date.now() - 9 * DAY_MS), until: new Date(Date.now() - DAY_MS) }),
  'wrong broker name': () => ({ change: { broker: { ...(bench.values.broker as object), name: 'other.example' } } }),
  'key not listed': () => {
    bench.broker.keys.remove(bench.gateway);
    return {
      undo: async () => {
        bench.broker.keys.set(bench.gateway, 'gateway');
        await bench.acknowledge();
      },
    };
  },
  'clock far off, seen by the broker': () => ({
    change: { oracles: [{ key: base58Encode(bench.oracle.publicKey) }] },
    ports: { clock: shifted(120 * MINUTE_MS) },
  }),
  'clock off, seen by an oracle': () => ({ ports: { clock: shifted(-10 * MINUTE_MS) } }),
  'oracle not reachable': async () => ({
    change: bench.first('oracles', { url: `http://127.0.0.1:${await freePort()}` }),
  }),
  'url of another service': async () => {
    const url = await bench.http((_, response) => void response.writeHead(404).end());
    return { change: bench.first('oracles', { url }) };
  },
  'wrong oracle key': async () => ({
    change: bench.first('oracles', { url: await bench.timeServer(signerOf('another oracle')) }),
  }),
  'oracle of another key': () => ({
    change: { oracles: [{ key: base58Encode(signerOf('another oracle').publicKey) }] },
  }),
  'meter not registered': async () => {
    await bench.ack(new Map());
    return { undo: () => bench.acknowledge() };
  },
  'problem that a running gateway states': async () => {
    const url = await bench.http((_, response) => void response.end('{"problems":["the spool is full"]}'));
    return { change: { http: { host: '127.0.0.1', port: Number(new URL(url).port) } } };
  },
  'no meter at the address': async () => ({ change: bench.first('buses', { port: await freePort() }) }),
  'unit number of another meter': async () => ({ change: await otherMeters({ profile: 'eastron-sdm120', unit: 2 }) }),
  'device that answers nothing': async () => ({
    change: bench.first('buses', { port: await bench.device(() => {}) }),
  }),
  'device with one connection': async () => ({
    change: bench.first('buses', { port: await bench.device((socket) => socket.on('data', () => socket.destroy())) }),
  }),
  'converter without an answer': async () => ({ change: await exceptions(11) }),
  'meter of another model': async () => ({ change: await otherMeters({ profile: 'orno-or-we-516', unit: 1 }) }),
  'probe that fails': async () => {
    const values = { importWh: 1n, exportWh: 1n, powerW: 0, voltageV: 3, frequencyHz: 50 };
    return { change: await otherMeters({ profile: 'eastron-sdm120', unit: 1, values: () => values }) };
  },
  'no SunSpec device': () => ({
    change: bench.first('meters', { profile: 'sunspec-meter' }),
  }),
  'no serial port': () => ({
    change: { buses: [{ name: 'lan', transport: 'serial', path: bench.site.path('no-port') }] },
  }),
};

/** Rows of the table: fault and words. */
const rows = readFileSync(fileURLToPath(new URL('../../../docs/doctor.md', import.meta.url)), 'utf8')
  .split('\n')
  .map((line) => line.split('|').map((cell) => cell.trim()))
  .filter((cells) => cells.length === 5 && !/^(fault|---)$/.test(cells[1] ?? ''))
  .map((cells): [string, string] => [cells[1] ?? '', cells[3] ?? '']);

const patternOf = (words: string) =>
  new RegExp(
    words
      .split('…')
      .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
      .join('.*'),
  );
const problemsOf = (lines: readonly string[]) =>
  lines.filter((line) => !/: well \(|: not looked at: |^note: /.test(line));

describe('the doctor', () => {
  test('looks at each part of the way, and says what it saw where nothing is wrong', async () => {
    expect([await doctor(bench.config(), undefined, never, PORTS), problemsOf(said)]).toEqual([true, []]);
    expect(said.map((line) => line.replace(/:\d{4,5}/g, ':PORT').replace(/\b\w{40,}\b/g, 'KEY'))).toEqual([
      expect.stringMatching(/^disk: well \(data_dir .* can be written, \d+ MiB are free\)$/),
      'keys, main: well (there, private and enrolled)',
      'keys, gateway: well (there and private)',
      'status page: not looked at: the configuration has no http section',
      'oracle http://127.0.0.1:PORT: well (127.0.0.1:PORT accepts connections, without TLS)',
      'oracle http://127.0.0.1:PORT, signed time: well (signed by KEY)',
      expect.stringMatching(/^clock: well \(within \d\.\d s of an oracle's signed time\)$/),
      'broker mqtt://127.0.0.1:PORT: well (127.0.0.1:PORT accepts connections, without TLS)',
      'broker mqtt://127.0.0.1:PORT, sign-in: well (the broker accepts the key)',
      'registration, main: well (acknowledged up to seq 1)',
      'bus lan: well (main answer by their profiles)',
    ]);
  });

  test('has a stage for each row of its table, and a row for each stage', () => {
    expect(rows.map(([fault]) => fault).sort()).toEqual(Object.keys(stages).sort());
    expect(rows.length).toBeGreaterThanOrEqual(20);
  });

  test.skipIf(!mayMakeCertificates).each(rows)('names the cause: %s', async (fault, words) => {
    const { change, ports, undo } = (await stages[fault]?.()) ?? {};
    try {
      const isWell = await doctor(bench.config(change), undefined, never, { ...PORTS, ...ports });
      // A busy machine delays the meter's answers, which is no fault of these rows.
      const problems = problemsOf(said).filter((line) => !/gives no answer to \d+ %/.test(line));
      // One fault is one problem: the doctor skips what depends on it.
      expect([isWell, problems]).toEqual([false, [expect.stringMatching(patternOf(words))]]);
    } finally {
      await undo?.();
    }
  });

  test('looks at a SunSpec device, as a poll does', async () => {
    const server = new ModbusServer('tcp', new Map([[1, sunspecInverter()]]));
    meters.push(server);
    const port = await server.listen('127.0.0.1', 0);
    const device = bench.first('meters', { profile: 'sunspec-inverter', role: 'production' });
    const config = bench.config({ ...bench.first('buses', { port }), ...device });
    expect([await doctor(config, 'lan', never, PORTS), said]).toEqual([
      true,
      [
        'disk, keys, clock, broker, oracles: not looked at: --bus names a bus',
        'bus lan, unit 1 (main): well (SunSpec, answers by its own list)',
      ],
    ]);
  });

  test('looks at everything but lines and session beside a running gateway, and leaves both alone', async () => {
    const session = await connect(bench.broker, optionsFor(bench.gateway));
    const url = await bench.http((_, response) => void response.end('{"problems":[]}'));
    const http = { host: '127.0.0.1', port: Number(new URL(url).port) };
    const before = readdirSync(bench.site.path('data')).sort();
    expect([await doctor(bench.config({ http }), undefined, never, PORTS), problemsOf(said)]).toEqual([true, []]);
    const unseen = said.flatMap((line) => /^(.*): not looked at: /.exec(line)?.[1] ?? []);
    expect(unseen).toEqual([expect.stringMatching(/^broker .*, sign-in$/), 'registration, main', 'bus lan']);
    expect(said.at(-1)).toBe('the running gateway: well (it states no problem)');
    expect([session.connected, readdirSync(bench.site.path('data')).sort()]).toEqual([true, before]);
    await session.endAsync();
  });

  test('touches no line of a gateway that has no status page', async () => {
    const lock = await lockDirectory(bench.site.path('data'));
    expect(await doctor(bench.config(), undefined, never, PORTS)).toBe(true);
    await lock?.release();
    expect(said.slice(-2)).toEqual([
      'bus lan: not looked at: the running gateway has the line open',
      'the running gateway: not looked at: the configuration has no http section, so nobody can ask it',
    ]);
  });
});
