import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { AuditResult } from '@gridtokenx/audit/main';
import { accountDiscriminator, accountSizes, pda, programIds } from '@gridtokenx/chain-client';
import { fromHex } from '@gridtokenx/protocol';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { diskFiles, encodeSnapshot, Generations, type SnapshotFiles } from '../src/chain/generations.js';
import { Keeper } from '../src/chain/keeper.js';
import type { Snapshot } from '../src/chain/snapshot.js';

const NETWORK = '0011223344556677';
/** Fields of the system's error when a disk is full. */
const FULL = { code: 'ENOSPC', errno: -28, syscall: 'write' } as const;
let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'generations-'));
  path = join(folder, 'chain', 'snapshot.json');
  mkdirSync(dirname(path));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A chain of a network at a slot: its registry's Config account. */
function snapshotAt(slot: number, network = NETWORK): Snapshot {
  const data = Buffer.alloc(accountSizes.Config);
  data.set(accountDiscriminator('Config'));
  data.set(fromHex(network), 88);
  const account = {
    data: [data.toString('base64'), 'base64'],
    executable: false,
    lamports: 1,
    owner: programIds.registry.toBase58(),
  };
  return { slot, takenAtMs: slot, accounts: [{ pubkey: pda.config().toBase58(), account }] } as unknown as Snapshot;
}

const slots = (network: string | null = NETWORK) =>
  new Generations(path).choose(network, folder).candidates.map(({ snapshot }) => snapshot.slot);
/** Writes two generations to disk, slots 1 and 2. */
function two(): void {
  const generations = new Generations(path);
  generations.write(snapshotAt(1));
  generations.write(snapshotAt(2));
}
const flip = (file: string, at: number) => {
  const bytes = readFileSync(file);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(file, bytes);
};

describe('two generations', () => {
  it('the newest is taken, the one before is kept', () => {
    expect(slots(null)).toEqual([]);
    two();
    expect(slots()).toEqual([2, 1]);
    new Generations(path).choose(NETWORK, folder);
  });

  const damages: [string, (file: string) => void][] = [
    ['empty', (file) => writeFileSync(file, '')],
    ['cut in half', (file) => truncateSync(file, readFileSync(file).length >> 1)],
    ['cut by one byte', (file) => truncateSync(file, readFileSync(file).length - 2)],
    ['a bit flipped in the accounts', (file) => flip(file, readFileSync(file).length - 30)],
    ['a bit flipped in the header', (file) => flip(file, 30)],
    ['a bit flipped in the first byte', (file) => flip(file, 0)],
    ['zeros', (file) => writeFileSync(file, Buffer.alloc(4_096))],
    ['deleted', (file) => rmSync(file)],
  ];
  it.each(damages)('%s: the older one is taken, with words', (name, damage) => {
    two();
    damage(path);
    const choice = new Generations(path).choose(NETWORK, folder);
    expect(choice.candidates.map(({ snapshot }) => snapshot.slot)).toEqual([1]);
    if (name !== 'deleted') expect(choice.words).toEqual([expect.stringContaining(`${path} is `)]);
  });

  it.each(damages)('both %s: nothing starts, nothing is touched, one line with advice', (_, damage) => {
    two();
    damage(path);
    damage(`${path}.previous`);
    const before = readdirSync(dirname(path));
    expect(() => slots()).toThrow(/; restore it from a backup, or delete .* to begin a new chain$/);
    try {
      slots();
    } catch (error) {
      expect((error as Error).message).not.toContain('\n');
    }
    expect(readdirSync(dirname(path))).toEqual(before);
  });

  it('every single flipped bit is noticed', () => {
    new Generations(path).write(snapshotAt(1));
    const whole = readFileSync(path);
    for (let at = 0; at < whole.length - 1; at++) {
      const bytes = Buffer.from(whole);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << (at % 8));
      writeFileSync(path, bytes);
      expect(() => slots(), `byte ${at}`).toThrow();
    }
  });

  it('no snapshot where a deployment exists: refused; in a new folder an empty chain begins', () => {
    expect(() => slots()).toThrow(`was made for network ${NETWORK}`);
    expect(slots(null)).toEqual([]);
  });

  it('a snapshot of another network is none of ours', () => {
    new Generations(path).write(snapshotAt(1, 'ffffffffffffffff'));
    expect(() => slots()).toThrow(`is of network ffffffffffffffff, not of ${NETWORK}`);
  });

  it.each([
    ['the first format', JSON.stringify({ format: 1, slot: 1, takenAtMs: 1, accounts: [] })],
    ['another layout', null],
  ])('%s: made by an earlier version, nothing touched', (_, text) => {
    if (text !== null) writeFileSync(path, text);
    else {
      // Written as by a version with other accounts, checksum included.
      const [head = '', body = ''] = encodeSnapshot(snapshotAt(1)).split('\n');
      const layout = 'an older layout';
      const sha256 = createHash('sha256').update(`${layout}\n${body}`).digest('hex');
      writeFileSync(path, `${JSON.stringify({ ...JSON.parse(head), layout, sha256 })}\n${body}\n`);
    }
    const before = readFileSync(path, 'utf8');
    expect(() => slots()).toThrow(`${path}: made by an earlier version; give another --data, or delete ${folder}`);
    expect(readFileSync(path, 'utf8')).toBe(before);
  });
});

describe('writing', () => {
  const failing = (change: Partial<SnapshotFiles>): SnapshotFiles => ({ ...diskFiles, ...change });
  const full = () => {
    throw Object.assign(new Error('no space left'), FULL);
  };

  it.each<[string, Partial<SnapshotFiles>]>([
    ['the disk is full', { write: full }],
    ['the older one cannot be kept', { copyName: full }],
    ['the new one cannot take its name', { rename: full }],
  ])('%s: both old ones stay', (_, change) => {
    two();
    const [first] = new Generations(path).choose(NETWORK, folder).candidates;
    const generations = new Generations(path, failing(change));
    if (first) generations.started(first);
    expect(() => generations.write(snapshotAt(3))).toThrow('no space left');
    const left = slots();
    expect(left[0]).toBe(2);
    // Where only the last step failed, the older name already points at the present snapshot, which is valid.
    expect(left.every((slot) => slot === 2 || slot === 1)).toBe(true);
  });

  it('a damaged present one is set aside, and never becomes the one before', () => {
    two();
    flip(path, 60);
    const generations = new Generations(path);
    const [from] = generations.choose(NETWORK, folder).candidates;
    if (from) generations.started(from);
    generations.write(snapshotAt(3));
    expect(slots()).toEqual([3, 1]);
    expect(existsSync(`${path}.damaged`)).toBe(true);
  });

  it('a real directory that takes no writes', () => {
    two();
    chmodSync(dirname(path), 0o500);
    const isRoot = process.getuid?.() === 0;
    const write = () => new Generations(path).write(snapshotAt(3));
    if (!isRoot) expect(write).toThrow('EACCES');
    chmodSync(dirname(path), 0o700);
    expect(slots()[0]).toBe(2);
  });
});

describe('what is kept', () => {
  const good: AuditResult = { ok: true, findings: [], figures: {} as AuditResult['figures'], levels: {} };
  let now = snapshotAt(1);
  let result = good;
  let earlier: (AuditResult | undefined)[] = [];
  const keeper = (files: SnapshotFiles = diskFiles) =>
    new Keeper({
      generations: new Generations(path, files),
      networkId: null,
      folder,
      problems: ['found at the start'],
      take: async () => now,
      check: async (before) => {
        earlier.push(before);
        return result;
      },
    });
  beforeEach(() => {
    [now, result, earlier] = [snapshotAt(1), good, []];
  });

  it('a chain that holds is written, compared with the one before, and the words of the start end', async () => {
    const made = keeper();
    expect(made.problems()).toEqual(['found at the start']);
    expect(await made.snapshot()).toBe(1);
    now = snapshotAt(2);
    expect(await made.snapshot()).toBe(2);
    expect(earlier).toEqual([undefined, good]);
    expect(made.problems()).toEqual([]);
    expect(slots()).toEqual([2, 1]);
  });

  it('one that breaks an invariant is not, and health says so until one holds again', async () => {
    const made = keeper();
    await made.snapshot();
    [now, result] = [snapshotAt(2), { ...good, ok: false, findings: ['supply is 7, minted is 6'] }];
    await expect(made.snapshot()).rejects.toThrow('supply is 7, minted is 6');
    expect(made.problems()[0]).toContain('no snapshot: the chain breaks an invariant (supply is 7, minted is 6)');
    expect(slots()).toEqual([1]);
    [now, result] = [snapshotAt(3), good];
    await made.snapshot();
    expect(made.problems()).toEqual([]);
  });

  it('an empty chain never takes the place of a full one', async () => {
    const made = keeper();
    await made.snapshot();
    now = { slot: 9, takenAtMs: 9, accounts: [] };
    await expect(made.snapshot()).rejects.toThrow(`the chain is of network none, the last snapshot of ${NETWORK}`);
    expect(slots()).toEqual([1]);
  });

  it('a full disk is said in words and healed by the next one', async () => {
    let isFull = true;
    const made = keeper({
      ...diskFiles,
      write(to, text) {
        if (isFull) throw Object.assign(new Error('x'), FULL);
        diskFiles.write(to, text);
      },
    });
    await expect(made.snapshot()).rejects.toThrow(`no snapshot: ${folder}: the disk is full; make room`);
    isFull = false;
    await made.snapshot();
    expect(made.problems()).toEqual([]);
  });
});
