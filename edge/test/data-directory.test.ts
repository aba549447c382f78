import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { asMeterId, toHex } from '@gridtokenx/protocol';
import { provedVerifier } from '@gridtokenx/runtime/node';
import { GATEWAY_V1, makeGatewayDirectory } from '@gridtokenx/testing-kit/gateway-directory';
import { temporaryDirectory } from '@gridtokenx/testing-kit/processes';
import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { nodeDisk } from '../src/adapters/disk/node-disk.js';
import { VERSION_RECORD } from '../src/adapters/spool/segment.js';
import { findStatements } from '../src/cli/statement-command.js';
import type { Disk } from '../src/domain/ports.js';
import type { SignedMessage } from '../src/domain/signed-message.js';
import { LOST_MARGIN } from '../src/domain/signing/lost-state.js';
import { type GatewayConfig, parseGatewayConfig } from '../src/wiring/config.js';
import { checkSomeProfile, openBuses, setUp } from '../src/wiring/setup.js';
import { sample } from './support/meter-run.js';

const COMMITTED = join(GATEWAY_V1, 'data');
const HASHES = { softwareHash: new Uint8Array(16), configHash: new Uint8Array(16).fill(3) };
let directory: ReturnType<typeof temporaryDirectory>;
let data: string;
beforeEach(() => {
  directory = temporaryDirectory();
  data = join(directory.path, 'data');
});
afterEach(() => directory.remove());

/** Lists every file below a folder with its bytes as text. */
function filesOf(folder: string): Record<string, string> {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();
  const files = names.filter((name) => statSync(join(folder, name)).isFile());
  return Object.fromEntries(files.map((name) => [name, readFileSync(join(folder, name)).toString('hex')]));
}

/** Copies the committed directory, and sets the mode of key files, which git does not keep. */
function copyOfCommitted(): GatewayConfig {
  cpSync(COMMITTED, data, { recursive: true });
  for (const name of readdirSync(join(data, 'keys'))) chmodSync(join(data, 'keys', name), 0o600);
  const config = parseGatewayConfig(readFileSync(join(GATEWAY_V1, 'config.yaml'), 'utf8'), 'config.yaml');
  return { ...config, data_dir: data, commit_ms: 0 };
}

/** Changes the last digit of a value in a key file. */
function withOtherDigit(text: string, key: string): string {
  const change = (_: string, head: string, digit: string) => `${head}${digit === '0' ? '1' : '0'}"`;
  return text.replace(new RegExp(`("${key}":"[0-9a-f]*)([0-9a-f])"`), change);
}

/** Opens a data directory as `run` does, on a clock after the last message. */
async function open(config: GatewayConfig, disk: Disk = nodeDisk) {
  const time = new VirtualClock({ startAtMs: Date.UTC(2026, 0, 1, 10, 0) });
  const committed: SignedMessage[] = [];
  const found = await setUp(config, {
    disk,
    readingClock: time.reading,
    clock: time,
    verifier: provedVerifier(),
    counters: { add: () => {} },
    buses: openBuses(config, time),
    committed: (message) => committed.push(message),
  });
  return { ...found, committed, all: [...found.meters, ...found.points] };
}

test('today makes the same directory from the same seeds, byte for byte, but for what checks a key and states a version', async () => {
  await makeGatewayDirectory(data);
  for (const name of readdirSync(join(data, 'keys'))) {
    const path = join(data, 'keys', name);
    const { public_key: _key, meter_id: _id, ...then } = JSON.parse(readFileSync(path, 'utf8'));
    writeFileSync(path, `${JSON.stringify(then)}\n`);
  }
  // Keys that state files have since: they are absent in format 1 as it landed.
  for (const name of readdirSync(join(data, 'state')).filter((one) => /^[0-9a-f]{32}\.json$/.test(one))) {
    const path = join(data, 'state', name);
    const {
      discontinuity_reason: _reason,
      doubt: _doubt,
      offsets: _offsets,
      accepted: _accepted,
      ...then
    } = JSON.parse(readFileSync(path, 'utf8'));
    writeFileSync(path, `${JSON.stringify(then)}\n`);
  }
  for (const name of readdirSync(join(data, 'spool'))) {
    const path = join(data, 'spool', name);
    const [version, rest] = [VERSION_RECORD.length, readFileSync(path)];
    expect(new Uint8Array(rest.subarray(0, version))).toEqual(VERSION_RECORD);
    writeFileSync(path, rest.subarray(version));
  }
  const acks = join(data, 'state', 'acks.json');
  const { hash: _hash, ...then } = JSON.parse(readFileSync(acks, 'utf8'));
  writeFileSync(acks, `${JSON.stringify({ ...then, version: 1 })}\n`);
  expect(filesOf(data)).toEqual(filesOf(COMMITTED));
});

test.each(['pv', 'house', 'home'])('a changed digit in the key of %s costs that key only', async (name) => {
  const config = copyOfCommitted();
  const path = join(data, 'keys', `${name === 'home' ? 'point' : 'meter'}-${name}.json`);
  writeFileSync(path, withOtherDigit(readFileSync(path, 'utf8'), 'seed'));
  const { all, faults, spool } = await open(config);
  expect(faults[0]).toBe(
    `${name} does not run: the key in ${path} did not enrol ${name}: restore the file from a backup of the data directory`,
  );
  expect(all.map(({ config: of }) => of.name)).toEqual(['pv', 'house', 'home'].filter((one) => one !== name));
  await spool.close();
});

test("a broken profile of the user's own costs its meter and the point of that meter", async () => {
  const { meters, ...config } = copyOfCommitted();
  const own = join(directory.path, 'profiles');
  mkdirSync(own);
  const broken = {
    ...config,
    profiles_dir: own,
    meters: meters.map((one, i) => (i === 0 ? { ...one, profile: 'acme' } : one)),
  };
  writeFileSync(join(own, 'acme.yaml'), 'id: acme\nunits: none\n');
  const before = filesOf(join(data, 'spool'));
  const { all, faults, spool } = await open(broken);
  expect(faults).toEqual([
    expect.stringMatching(new RegExp(`^${meters[0]?.name} does not run: ${own}/acme.yaml:\\d+: `)),
    'point home does not run: a meter that it derives from does not',
  ]);
  expect(all.map(({ config: of }) => of.name)).toEqual(['house']);
  await spool.close();
  checkSomeProfile(broken);
  // Nothing of the meter that does not run is lost.
  const after = filesOf(join(data, 'spool'));
  for (const [name, bytes] of Object.entries(before)) expect(after[name]?.startsWith(bytes), name).toBe(true);
  expect((await open({ ...config, meters })).all).toHaveLength(3);
  const none = { ...broken, meters: broken.meters.map((one) => ({ ...one, profile: 'acme' })) };
  expect(() => checkSomeProfile(none)).toThrow(/acme\.yaml:\d+: /);
  expect(() =>
    checkSomeProfile({ ...broken, meters: broken.meters.map((one) => ({ ...one, profile: 'none' })) }),
  ).toThrow();
});

test('a key file that is none costs its meter and the point of that meter', async () => {
  const config = copyOfCommitted();
  writeFileSync(join(data, 'keys', 'meter-pv.json'), '{', { mode: 0o600 });
  const { all, faults, spool } = await open(config);
  expect(all.map(({ config: of }) => of.name)).toEqual(['house']);
  expect(faults.join('\n')).toMatch(
    /^pv does not run: .*meter-pv.json is damaged: .*\npoint home does not run: a meter/,
  );
  await spool.close();
});

const DAMAGE: readonly [what: string, content: string | null][] = [
  ['empty', ''],
  ['torn', '{"version":1,"reserved_th'],
  ['missing', null],
];
test.each(DAMAGE)('a state file that is %s costs seqs and an open window, nothing else', async (_what, content) => {
  const config = copyOfCommitted();
  const before = await open(config);
  const [pv] = before.meters;
  await before.spool.close();
  const path = join(data, 'state', `${pv?.journal.id}.json`);
  if (content === null) rmSync(path);
  else writeFileSync(path, content);
  const { all, meters, faults, notes, spool, committed } = await open(config);
  expect([faults, notes.length]).toEqual([[], 1]);
  expect(notes[0]).toContain(`meter pv continues at seq ${39n + LOST_MARGIN + 1n}`);
  const [found] = meters;
  // The open window at the time of the damage may have had a statement that the disk lost.
  expect(found?.journal.windows.closedThrough).toBe(1_963_622);
  for (const { journal, recovered } of all)
    await journal.start(recovered, { ...HASHES, storedThrough: 20n, tornRecords: 0 });
  const own = committed.filter(({ meterId }) => meterId === found?.journal.id);
  expect(own.length).toBeGreaterThan(1);
  for (const { seq } of own) expect(seq).toBeGreaterThan(39n + LOST_MARGIN);
  expect(spool.missing(found?.journal.id ?? asMeterId(new Uint8Array(16)), 1n, 39n)).toEqual([]);
  await spool.close();
  // From here on the file is good.
  const again = await open(config);
  expect(again.notes).toEqual([]);
  expect(again.meters[0]?.journal.nextSeq).toBeGreaterThan(39n + LOST_MARGIN);
  await again.spool.close();
});

test('a meter whose spool and state are lost continues above what the oracles have seen, or signs nothing', async () => {
  const config = copyOfCommitted();
  rmSync(join(data, 'spool'), { recursive: true });
  for (const name of readdirSync(join(data, 'state')))
    if (name !== 'acks.json') writeFileSync(join(data, 'state', name), '');
  const known = await open(config);
  expect(known.faults).toEqual([expect.stringContaining('meter home signs nothing')]);
  for (const { journal } of known.meters) expect(journal.nextSeq).toBeGreaterThan(LOST_MARGIN);
  await known.spool.close();
  rmSync(join(data, 'state', 'acks.json'));
  const none = await open(config);
  expect([none.all.length, none.faults.length]).toEqual([0, 3]);
  await none.spool.close();
});

test('a read-only disk starts with everything that is there, and signs when it heals', async () => {
  const config = copyOfCommitted();
  const disk = { ...nodeDisk };
  const refuse = () => Promise.reject(Object.assign(new Error('read-only file system'), { code: 'EROFS' }));
  for (const change of ['makeDir', 'openAppend', 'truncate', 'replace', 'replaceUnsynced', 'remove'] as const)
    disk[change] = refuse;
  const { all, meters, faults, notes, spool } = await open(config, disk);
  expect([all.length, faults, notes]).toEqual([3, [], []]);
  const [pv] = meters;
  if (!pv) throw new Error('no meter');
  const start = () => pv.journal.start(pv.recovered, { ...HASHES, storedThrough: 20n, tornRecords: 0 });
  await expect(start()).rejects.toThrow('read-only');
  expect((await spool.read(pv.journal.id, 1n, 100)).length).toBe(39);
  Object.assign(disk, nodeDisk);
  await start();
  expect(spool.highest(pv.journal.id)).toBeGreaterThan(128n);
  await spool.close();
});

test('a directory of format 1 opens with its identities and all of its messages', async () => {
  const { all, spool, damage } = await open(copyOfCommitted());
  expect(damage).toMatchObject({ damagedBytes: 0, tornBytes: 0 });
  const found = all.map(({ config, key, journal }) => [config.name, journal.id, toHex(key.signer.publicKey)]);
  expect(found).toMatchInlineSnapshot(`
    [
      [
        "pv",
        "7bd646d99d945ef1be333a94c22eaace",
        "e71fbb87b3687a2b95fed85f7692e5381d324143ca7de62330c1f310d011c911",
      ],
      [
        "house",
        "ba2782e366b49d84a236bd9faf450ab5",
        "338f97ddf41b0be1ff2534025d1f84d2e6d7868499ed853265b53c1177ffa257",
      ],
      [
        "home",
        "8a96166bcec8342131e1183cf5ce5a97",
        "3cb3cf86a72eba8ce5a8e9dee9372cbb20c63c1eb75a7aa84b1780d5c3e4a08a",
      ],
    ]
  `);
  const kept = all.map(({ journal }) => [
    spool.highest(journal.id),
    spool.count(journal.id, 1n, spool.highest(journal.id)),
  ]);
  expect(kept).toEqual([
    [39n, 39],
    [40n, 40],
    [4n, 4],
  ]);
  for (const { journal, recovered } of all) {
    expect(recovered.enrolment).not.toBeNull();
    expect(journal.windows.closedThrough).toBe(1_963_621);
    expect(journal.nextSeq).toBe(129n);
  }
  await spool.close();
});

test('no seq is used twice and nothing is lost over two runs on a directory of format 1', async () => {
  const config = copyOfCommitted();
  const used = new Set<string>();
  const before = filesOf(COMMITTED);
  for (const run of [1, 2]) {
    const { all, meters, spool, committed } = await open(config);
    for (const { journal, recovered } of all)
      await journal.start(recovered, { ...HASHES, storedThrough: 20n, tornRecords: 0 });
    for (const { journal } of meters)
      await journal.reading(sample(Date.UTC(2026, 0, 1, 10, run), 1_700), !journal.registers.inDiscontinuity);
    await spool.close();
    for (const { meterId, seq } of committed) {
      expect(used).not.toContain(`${meterId}/${seq}`);
      expect(seq).toBeGreaterThan(128n);
      used.add(`${meterId}/${seq}`);
    }
    expect(committed.length).toBeGreaterThanOrEqual(5);
  }
  const after = filesOf(data);
  for (const name of ['r-00000001.seg', 's-00000001.seg'])
    expect(after[`spool/${name}`]?.startsWith(before[`spool/${name}`] ?? 'none')).toBe(true);
  for (const [name, bytes] of Object.entries(before)) if (name.startsWith('keys/')) expect(after[name]).toBe(bytes);
});

test('the statements of a directory of format 1 can be read for another party', async () => {
  copyOfCommitted();
  const state = JSON.parse(readFileSync(join(data, 'state', '7bd646d99d945ef1be333a94c22eaace.json'), 'utf8'));
  const found = await findStatements(nodeDisk, join(data, 'spool'), '7bd646d99d945ef1be333a94c22eaace');
  expect(found.map(({ statement }) => statement.window)).toEqual([1_963_620, 1_963_621]);
  expect(toHex(found.at(-1)?.message.payload ?? new Uint8Array())).toBe(state.statement);
});
