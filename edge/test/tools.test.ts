import { chmodSync, cpSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { provedVerifier } from '@gridtokenx/runtime/node';
import { GATEWAY_V1 } from '@gridtokenx/testing-kit/gateway-directory';
import { temporaryDirectory } from '@gridtokenx/testing-kit/processes';
import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { nodeDisk } from '../src/adapters/disk/node-disk.js';
import { diagnose } from '../src/cli/diagnose-command.js';
import { exportMessages } from '../src/cli/export-command.js';
import { refuseOwnFile } from '../src/cli/output.js';
import { recover } from '../src/cli/recover-command.js';
import { redacted, redactedText } from '../src/cli/redact.js';
import { inspectSpool } from '../src/cli/spool-command.js';
import type { Disk } from '../src/domain/ports.js';
import { type GatewayConfig, parseGatewayConfig } from '../src/wiring/config.js';
import { openBuses, setUp } from '../src/wiring/setup.js';

let directory: ReturnType<typeof temporaryDirectory>;
let data: string;
let config: GatewayConfig;
let out: string;
const said: string[] = [];
beforeEach(() => {
  directory = temporaryDirectory();
  data = join(directory.path, 'data');
  out = join(directory.path, 'export.jsonl');
  cpSync(join(GATEWAY_V1, 'data'), data, { recursive: true });
  for (const name of readdirSync(join(data, 'keys'))) chmodSync(join(data, 'keys', name), 0o600);
  const text = readFileSync(join(GATEWAY_V1, 'config.yaml'), 'utf8');
  config = { ...parseGatewayConfig(text, 'config.yaml'), data_dir: data };
  said.length = 0;
  vi.spyOn(console, 'log').mockImplementation((line) => void said.push(String(line)));
  vi.spyOn(console, 'error').mockImplementation(() => {});
});
afterEach(() => {
  vi.restoreAllMocks();
  directory.remove();
});

/** Changes a byte of a segment. */
function flip(name: string, at: number): void {
  const path = join(data, 'spool', name);
  const bytes = readFileSync(path);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(path, bytes);
}

/** Everything below the data directory, to show that a command changes nothing. */
const everything = () =>
  readdirSync(data, { recursive: true, encoding: 'utf8' })
    .sort()
    .map((name) => [name, name.includes('.') ? readFileSync(join(data, name)).toString('hex') : '']);

describe('spool', () => {
  test('names segments, messages and seqs of each key, checks signatures, and changes nothing', async () => {
    const before = everything();
    expect(await inspectSpool(config, true)).toBe(true);
    expect(said[0]).toBe('2 segments, 0.0 MiB, 83 records');
    expect(said.find((line) => line.startsWith('pv: '))).toMatch(
      /^pv: 34 readings, 2 statements, 2 events, 1 enrolments; seq 1 to 39, readings from 2026-01-01T09:0\S+ to 2026-\S+ UTC, last window 1963621$/,
    );
    expect(said.at(-1)).toBe('every signature and every record is right');
    expect(everything()).toEqual(before);
  });

  test('does not say of the keys of another gateway that their signatures are right', async () => {
    const { points, ...rest } = config;
    expect(await inspectSpool({ ...rest, meters: rest.meters.slice(0, 1) }, true)).toBe(true);
    expect(points).toHaveLength(1);
    expect(said.at(-1)).toBe('note: 2 of 3 keys are not in the configuration: their signatures are not checked');
  });

  test('says what a damaged record leaves: bytes, and seqs that are absent', async () => {
    flip('r-00000001.seg', 187 * 20 + 40);
    expect(await inspectSpool(config, false)).toBe(false);
    expect(said).toContain('187 bytes between records are damaged');
    expect(said.join('\n')).toMatch(/ {2}seq (\d+) to \1: absent and not declared/);
  });

  test('names a message that another key signed', async () => {
    const path = join(data, 'keys', 'meter-house.json');
    const other = JSON.parse(readFileSync(join(data, 'keys', 'meter-pv.json'), 'utf8'));
    writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), seed: other.seed }), {
      mode: 0o600,
    });
    expect(await inspectSpool(config, true)).toBe(false);
    expect(said.join('\n')).toMatch(
      / {2}seq \d+: the key of the directory did not sign it[\s\S]*and \d+ further faults/,
    );
  });
});

describe('export refuses in one line', () => {
  const of = (change: object) =>
    exportMessages(config, { from: '2026-01-01', until: '2026-01-02', meter: 'pv', out, ...change });
  test.each([
    [{ from: 'yesterday' }, '--from yesterday: expected a UTC time such as 2026-11-01T00:00Z'],
    [{ until: '2026-13-01' }, '--until 2026-13-01: expected a UTC time'],
    [{ until: '2026-02-31T00:00Z' }, '--until 2026-02-31T00:00Z: expected a UTC time'],
    [{ until: '2026-01-01' }, '--until must be later than --from'],
    [{ meter: 'hut' }, 'there is no meter "hut": the configuration has pv, house, home'],
    [{ meter: undefined }, 'give --meter: the configuration has pv, house, home'],
    [{ from: '2027-01-01', until: '2027-01-02' }, 'the spool has no message of meter pv in this period'],
    [{ out: '/nowhere/export.jsonl' }, '/nowhere/export.jsonl: cannot be written'],
  ])('%o', async (change, words) => {
    await expect(of(change)).rejects.toThrow(words);
  });
});

describe('recover', () => {
  /** A configuration whose data directory is new; the old one is the copy of the fixture. */
  const renewed = () => ({ ...config, data_dir: join(directory.path, 'new') });
  const openedSeqs = async (of: GatewayConfig) => {
    const time = new VirtualClock({ startAtMs: Date.UTC(2026, 0, 1, 10, 0) });
    const { meters, points, spool } = await setUp(of, {
      ...{ readingClock: time.reading, clock: time, verifier: provedVerifier(), counters: { add: () => {} } },
      ...{ buses: openBuses(of, time), committed: () => {} },
    });
    const seqs = [...meters, ...points].map(({ config: { name }, journal, recovered }) => {
      return [name, journal.nextSeq, recovered.highestSeq, recovered.enrolment !== null] as const;
    });
    await spool.close();
    return seqs;
  };

  test('of a whole directory keeps keys, states and every message', async () => {
    const found = await recover(renewed(), data);
    expect(found).toMatchObject({ keys: 4, records: 83, lostBytes: 0, notes: [] });
    expect(await openedSeqs(renewed())).toEqual([
      ['pv', 129n, 39n, true],
      ['house', 129n, 40n, true],
      ['home', 129n, 4n, true],
    ]);
  });

  test('of a damaged one continues above every seq that may have been used', async () => {
    flip('r-00000001.seg', 187 * 20 + 40);
    const [state] = readdirSync(join(data, 'state')).filter((name) => name.startsWith('7bd6'));
    writeFileSync(join(data, 'state', state ?? ''), '');
    const found = await recover(renewed(), data);
    expect(found).toMatchObject({ records: 82, lostBytes: 187 });
    expect(found.notes.join('\n')).toMatch(/7bd6\S+\.json: is damaged: omitted[\s\S]*state of 7bd6\S+: lost/);
    const [pv] = await openedSeqs(renewed());
    expect(pv?.[0]).toBe('pv');
    expect(pv?.[1]).toBeGreaterThan(128n);
  });

  test('reads the blocks that a failing card still gives', async () => {
    const bad = join(data, 'spool', 'r-00000001.seg');
    const broken = { code: 'EIO' };
    const disk: Disk = {
      ...nodeDisk,
      read: (path) => (path === bad ? Promise.reject(Object.assign(new Error('EIO'), broken)) : nodeDisk.read(path)),
      readAt: (path, offset, length) =>
        path === bad && offset === 4_096
          ? Promise.reject(Object.assign(new Error('EIO'), broken))
          : nodeDisk.readAt(path, offset, length),
    };
    const { records, notes, lostBytes } = await recover(renewed(), data, disk);
    expect(records).toBeGreaterThan(55);
    expect(records).toBeLessThan(64);
    expect(lostBytes).toBeGreaterThanOrEqual(4_096);
    expect(notes.join()).toContain('read block by block');
  });

  test.each([
    ['/nowhere', '--from /nowhere: is no data directory'],
    ['/proc/version', '--from /proc/version: cannot be read'],
  ])('refuses %s in one line', async (from, words) => {
    await expect(recover(renewed(), from)).rejects.toThrow(words);
  });

  test('writes only into an empty folder, and never into its source', async () => {
    await expect(recover(config, data)).rejects.toThrow('--from is data_dir itself');
    const other = { ...config, data_dir: join(directory.path, 'used') };
    cpSync(data, other.data_dir, { recursive: true });
    await expect(recover(other, data)).rejects.toThrow('keys is not empty: give an empty data_dir');
  });
});

describe('a path for a file', () => {
  test.each(['data/spool/r-00000001.seg', 'data/new.json', 'gateway.yaml', 'link.yaml', 'folder/new.json'])(
    'that is one of the gateway itself is refused (%s)',
    (name) => {
      const file = join(directory.path, 'gateway.yaml');
      writeFileSync(file, 'x');
      symlinkSync(file, join(directory.path, 'link.yaml'));
      symlinkSync(data, join(directory.path, 'folder'));
      const path = join(directory.path, name);
      expect(() => refuseOwnFile(path, file, data)).toThrow(/^--out \S+: .*name another file$/);
      expect(() => refuseOwnFile(join(directory.path, 'data.json'), file, data)).not.toThrow();
      expect(() => refuseOwnFile('/nowhere/x', file, '/nowhere/data')).not.toThrow();
    },
  );
});

describe('diagnose', () => {
  test('writes versions, machine, configuration, doctor, spool and log, and no secret', async () => {
    const file = join(directory.path, 'gateway.yaml');
    const text = readFileSync(join(GATEWAY_V1, 'config.yaml'), 'utf8');
    writeFileSync(file, `${text}\n# the broker's password: hunter2\nkeys: { passphrase: "correct horse" }\n`);
    const log = join(directory.path, 'gateway.log');
    writeFileSync(log, 'connected to mqtts://user:hunter2@broker:8883\npassword=hunter2, token: "abc"\n');
    const ran: string[] = [];
    const run = async (_file: string, args: readonly string[]) => {
      ran.push(args.join(' '));
      return 'lan: all is well\n';
    };
    const target = join(directory.path, 'diagnosis.json');
    await diagnose(config, { config: file, out: target, log }, run);
    const found = readFileSync(target, 'utf8');
    expect(found).not.toMatch(/hunter2|correct horse|"abc"/);
    const parts = JSON.parse(found);
    expect(parts).toMatchObject({ version: 1, doctor: ['lan: all is well'], spool: ['lan: all is well'] });
    expect(parts.configuration.meters.map(({ name }: { name: string }) => name)).toEqual(['pv', 'house']);
    expect(parts.log).toEqual(['connected to mqtts://(removed)@broker:8883', 'password=(removed), token: (removed)']);
    expect(ran.map((one) => one.split(' ')[1])).toEqual(['doctor', 'spool']);
    for (const name of readdirSync(join(data, 'keys')))
      expect(found).not.toContain(JSON.parse(readFileSync(join(data, 'keys', name), 'utf8')).seed);
  });

  test('goes on where a part gives nothing, and refuses a path that cannot be written', async () => {
    const target = join(directory.path, 'diagnosis.json');
    const fail = async () => {
      throw new Error('journalctl is not installed');
    };
    await diagnose(config, { config: '/nowhere', out: target }, fail);
    expect(JSON.parse(readFileSync(target, 'utf8')).log).toBe('unavailable: journalctl is not installed');
    await expect(diagnose(config, { config: '/nowhere', out: '/nowhere/x' }, fail)).rejects.toThrow(
      'cannot be written',
    );
  });
});

test.each([
  ['{"seed": "00ff"}', '{"seed": (removed)}'],
  [`token ${'A'.repeat(90)} end`, 'token (removed) end'],
  ['key 9xQeWvG816bUx9EPjHmaT23yvVM2ZWbrrpZb9PusVFin', 'key 9xQeWvG816bUx9EPjHmaT23yvVM2ZWbrrpZb9PusVFin'],
  ['nothing to hide: 12 kWh', 'nothing to hide: 12 kWh'],
  ['at mqtt://user:p%40ss%2F@host', 'at mqtt://(removed)@host'],
  ["mqtt://user:p@s's/w@host:1883, then", 'mqtt://(removed)@host:1883, then'],
  ['http://host/x?access_token=abc&from=1', 'http://host/x?access_token=(removed)&from=1'],
  ['Authorization: Bearer abc.def', 'Authorization: (removed) (removed)'],
  ['sent eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhIn0.c2lnbmVk', 'sent (removed)'],
  ['{"password":"a\\"b c","x":1}', '{"password":(removed),"x":1}'],
  ['{\\"seed\\":\\"00ff\\",\\"x\\":1}', '{\\"seed\\":(removed),\\"x\\":1}'],
  ["password: 'two words', api_key=a,b psk=c", 'password: (removed), api_key=(removed) psk=(removed)'],
  ['"secrets": ["a", "b"], "x": 1', '"secrets": (removed), "x": 1'],
  ['-----BEGIN PRIVATE KEY-----\nMC4CAQ\n-----END PRIVATE KEY-----\nend', '(removed)\nend'],
])('redacts %s', (text, expected) => {
  expect(redactedText(text)).toBe(expected);
});

test('redacts names of keys, and a hostile log in little time', () => {
  expect(redacted({ apiKey: 'x', 'mqtt://u:p@h': { note: 'password=x' } })).toEqual({
    apiKey: '(removed)',
    'mqtt://(removed)@h': { note: 'password=(removed)' },
  });
  for (const text of ['pass_', 'a://', 'token', '"', "'", '-----BEGIN PRIVATE KEY', 'bearer ', 'eyJaaaa.']) {
    const startedAtMs = performance.now();
    redactedText(text.repeat(Math.ceil(200_000 / text.length)));
    // One pass takes some milliseconds; a quadratic one takes a minute.
    expect(performance.now() - startedAtMs, text).toBeLessThan(5_000);
  }
});
