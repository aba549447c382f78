import {
  closeSync,
  copyFileSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toHex } from '@gridtokenx/protocol';
import { testLedger } from '@gridtokenx/testing-kit/oracle/ledger';
import { FakeRegistry, JournalBuilder, meterOf, signerOf } from '@gridtokenx/testing-kit/signed-journal';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { checkInBackground } from '../../src/adapters/sqlite/background-check.js';
import { DatabaseDamaged, moveAside, openChecked, stampOf } from '../../src/adapters/sqlite/damage.js';
import { openDatabase } from '../../src/adapters/sqlite/database.js';
import { ledgerMigrations } from '../../src/adapters/sqlite/schema.js';
import type { Config } from '../../src/wiring/config.js';
import { openSeries } from '../../src/wiring/series.js';

const meter = meterOf(1);
let folder: string;
let whole: string;
let stored: string[];
let path: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'damage-'));
  whole = join(folder, 'whole.sqlite');
  const made = testLedger(new FakeRegistry(meter), whole);
  made.take(new JournalBuilder(meter, signerOf(1)).honest(40, 15));
  stored = messagesIn(made.database.sqlite);
  made.database.sqlite.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  made.database.sqlite.close();
});
afterAll(() => rmSync(folder, { recursive: true }));
beforeEach(() => {
  path = join(folder, 'ledger.sqlite');
  for (const suffix of ['', '-wal', '-shm']) rmSync(`${path}${suffix}`, { force: true });
  copyFileSync(whole, path);
});

function messagesIn(
  sqlite: ReturnType<typeof openChecked> | ReturnType<typeof testLedger>['database']['sqlite'],
): string[] {
  return sqlite
    .prepare('SELECT hash, bytes FROM messages ORDER BY id')
    .all()
    .map(({ bytes }) => toHex(bytes as Uint8Array));
}

function flip(file: string, at: number, count = 1): void {
  const bytes = readFileSync(file)
    .subarray(at, at + count)
    .map((byte) => byte ^ 0x5a);
  const open = openSync(file, 'r+');
  writeSync(open, bytes, 0, bytes.length, at);
  closeSync(open);
}

/** Opens and reads everything: what was stored, or an error. */
function use(): string[] {
  const database = openDatabase(path, ledgerMigrations);
  try {
    return messagesIn(database.sqlite);
  } finally {
    database.sqlite.close();
  }
}

describe('a ledger whose file was changed', () => {
  it('the control: a whole one opens, is checked and holds what was stored', () => {
    expect(use()).toEqual(stored);
    expect(stored.length).toBe(641);
  });

  it('one byte anywhere is never used in silence for a message', () => {
    const size = statSync(path).size;
    let noticed = 0;
    for (let n = 0; n < 150; n++) {
      copyFileSync(whole, path);
      flip(path, Math.floor((n / 150) * size) + ((n * 31) % 97));
      try {
        expect(use()).toEqual(stored);
      } catch (error) {
        if (!(error instanceof Error) || error.name === 'AssertionError') throw error;
        noticed++;
      }
    }
    expect(noticed).toBeGreaterThan(40);
  });

  it.each([
    ['the header', () => flip(path, 0, 16)],
    ['a page in the middle', () => flip(path, 4_096 * 8, 64)],
    ['cut in half', () => truncateSync(path, Math.floor(statSync(path).size / 2 / 4_096) * 4_096)],
    ['cut within a page', () => truncateSync(path, statSync(path).size - 1_000)],
    ['another kind of file', () => writeFileSync(path, 'x'.repeat(10_000))],
  ])('%s: refused at the start in one line with the way out', (_, damage) => {
    damage();
    const before = readFileSync(path);
    expect(use).toThrow(DatabaseDamaged);
    expect(use).toThrow(/ledger\.sqlite (is damaged|cannot be read).*move it aside with "gridtokenx-oracle set-aside/);
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  it('a large one is sampled: its ends are read', () => {
    openChecked(path, 0).close();
    flip(path, 4_096, 4_096);
    expect(() => openChecked(path, 0)).toThrow(DatabaseDamaged);
  });

  it('a large one is checked as a whole beside its use, and used no more once it does not hold', async () => {
    const thread = new URL('../../dist/adapters/sqlite/check-worker.js', import.meta.url);
    const found: string[] = [];
    await checkInBackground(path, (words) => found.push(words), thread);
    expect(found).toEqual([]);
    const database = openChecked(path);
    flip(path, 4_096 * 8, 64);
    await checkInBackground(path, (words) => database.found(words), thread);
    expect(database.damage).toMatch(/is damaged/);
    expect(() => database.prepare('SELECT 1')).toThrow(DatabaseDamaged);
    database.close();
    writeFileSync(path, 'x'.repeat(10_000));
    await checkInBackground(path, (words) => found.push(words), thread);
    expect(found).toEqual([expect.stringContaining('is damaged (file is not a database)')]);
  });

  it('damage while it runs is remembered, and nothing is read or written any more', () => {
    const database = openDatabase(path, ledgerMigrations);
    database.sqlite.exec('PRAGMA cache_size = 1; PRAGMA mmap_size = 0');
    expect(database.damage()).toBe(null);
    flip(path, 4_096, statSync(path).size - 4_096);
    expect(() => database.transaction(() => messagesIn(database.sqlite))).toThrow();
    expect(database.damage()).toMatch(/is damaged/);
    copyFileSync(whole, path);
    expect(() => database.sqlite.prepare('SELECT 1')).toThrow(DatabaseDamaged);
    expect(() => database.transaction(() => {})).toThrow(DatabaseDamaged);
    database.sqlite.close();
  });
});

it('a file is moved aside with those beside it, and never over another', () => {
  writeFileSync(`${path}-wal`, 'log');
  const stamp = stampOf(1_900_000_000_999);
  expect(stamp).toBe('damaged-2030-03-17T174640Z');
  expect(moveAside(path, stamp)).toEqual([`${path}.${stamp}`, `${path}.${stamp}-wal`]);
  expect(readFileSync(`${path}.${stamp}-wal`, 'utf8')).toBe('log');
  expect(moveAside(path, stamp)).toEqual([]);
  copyFileSync(whole, path);
  expect(() => moveAside(path, stamp)).toThrow(`${path}.${stamp}: is there already; wait a second and try again`);
  expect(statSync(path).size).toBe(statSync(whole).size);
});

it('a damaged time series is moved aside and written anew from the ledger', async () => {
  const data = mkdtempSync(join(folder, 'data-'));
  const { database, ledger } = testLedger(new FakeRegistry(meter), join(data, 'ledger.sqlite'));
  const log: string[] = [];
  const note = (_: object, message: string) => void log.push(message);
  const clock = { nowMs: () => 1_900_000_000_000, monotonicMs: () => 0, after: () => () => {} };
  const deps = {
    ...{ ledger, database, clock, logger: { debug: note, info: note, warn: note, error: note } },
    randomness: { bytes: (n: number) => new Uint8Array(n), fraction: () => 0.5 },
  };
  const config = { data_dir: data } as Config;
  const { arrival } = testLedger(new FakeRegistry(meter));
  ledger.take(
    new JournalBuilder(meter, signerOf(1)).honest(3).map(({ message }) => arrival(message)),
    arrival(new Uint8Array(1)).arrivedAtMs,
  );
  const first = openSeries(config, (name) => name, deps);
  expect(first.problem()).toBe(null);
  await first.stop();
  const file = join(data, 'timeseries.sqlite');
  const readings = () => {
    const open = openChecked(file);
    const [row] = open.prepare('SELECT count(*) AS n FROM reading').all();
    open.close();
    return Number(row?.n);
  };
  expect(readings()).toBe(9);
  flip(file, 0, 4_096);
  const second = openSeries(config, (name) => name, deps);
  expect(second.problem()).toMatch(/the time series was damaged and is written anew; the old file is .*damaged-2030/);
  await second.stop();
  expect(readings()).toBe(9);
  expect(readdirSync(data).filter((name) => name.includes('damaged-')).length).toBeGreaterThan(0);
  database.sqlite.close();
});
