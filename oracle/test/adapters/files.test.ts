import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ed25519Signer, proveVerifier, toHex, verifyVectors } from '@gridtokenx/protocol';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { simulatedClock, systemRandomness } from '../../src/adapters/clock/index.js';
import { ensureKeyFile, readKeyFile } from '../../src/adapters/files/key.js';
import { MetersFile } from '../../src/adapters/files/meters.js';
import { provenVerifier, sodiumSigner } from '../../src/adapters/sodium/index.js';
import { openDatabase } from '../../src/adapters/sqlite/database.js';
import { ledgerMigrations } from '../../src/adapters/sqlite/schema.js';
import { ManualClock, testLogger } from '../support/time.js';

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'gtx-files-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe('key file', () => {
  it('is made once, mode 0600, and read again', () => {
    const path = join(directory, 'keys', 'oracle');
    const first = ensureKeyFile(path, systemRandomness);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(ensureKeyFile(path, systemRandomness)).toEqual(first);
    expect(readKeyFile(path)).toEqual(first);
    expect(readFileSync(path, 'utf8')).toBe(`${toHex(first)}\n`);
  });

  it('says what to do when it is missing, and refuses what is none', () => {
    expect(() => readKeyFile(join(directory, 'none'))).toThrow('make it with "init --config FILE"');
    writeFileSync(join(directory, 'bad'), 'hello', { mode: 0o600 });
    expect(() => readKeyFile(join(directory, 'bad'))).toThrow('not a key file');
  });

  it.skipIf(process.platform === 'win32')('is refused when others may read it', () => {
    const path = join(directory, 'key');
    ensureKeyFile(path, systemRandomness);
    for (const mode of [0o640, 0o604, 0o620]) {
      chmodSync(path, mode);
      expect(() => readKeyFile(path)).toThrow('others may read this key: chmod 600 it');
    }
    chmodSync(path, 0o400);
    expect(readKeyFile(path)).toHaveLength(32);
  });
});

describe('libsodium', () => {
  it('signs the same bytes as the protocol, and passes the golden cases', () => {
    const seed = systemRandomness.bytes(32);
    const message = systemRandomness.bytes(115);
    expect(sodiumSigner(seed).publicKey).toEqual(ed25519Signer(seed).publicKey);
    expect(sodiumSigner(seed).sign(message)).toEqual(ed25519Signer(seed).sign(message));
    expect(provenVerifier().name).toBe('libsodium');
  });

  it('control: a verifier that says yes to everything does not start', () => {
    const verifier = { name: 'yes', verify: () => true };
    expect(() => proveVerifier(verifier, verifyVectors)).toThrow('judges');
  });
});

describe('simulated clock', () => {
  const content = (changes: object = {}) =>
    JSON.stringify({
      version: 1,
      speed: 60,
      anchorSimMs: 1_000_000,
      anchorRealMs: 5_000_000,
      reservedThroughMs: 2_000_000,
      segments: [],
      ...changes,
    });

  it('follows the file, and the last good content while it cannot be read', () => {
    const path = join(directory, 'clock.json');
    writeFileSync(path, content());
    const real = new ManualClock(5_001_000);
    const logger = testLogger();
    const clock = simulatedClock(path, real, logger);
    expect(clock.now()).toBe(1_060_000);
    expect(clock.realTimeOf(1_120_000)).toBe(5_002_000);
    writeFileSync(path, content({ reservedThroughMs: 1_050_000 }));
    utimesSync(path, 1, 1);
    expect(clock.now()).toBe(1_060_000);
    real.advance(250);
    expect(clock.now()).toBe(1_050_000);
    writeFileSync(path, '{');
    real.advance(250);
    expect(clock.now()).toBe(1_050_000);
    real.advance(250);
    expect(clock.now()).toBe(1_050_000);
    expect(logger.lines).toHaveLength(1);
    writeFileSync(path, content({ reservedThroughMs: 1_055_000 }));
    real.advance(250);
    expect(clock.now()).toBe(1_055_000);
  });
});

describe('meters file', () => {
  it('is read again, the last good content holds, and a bad one is refused at the start', async () => {
    const path = join(directory, 'meters.json');
    writeFileSync(path, '{"version":1,"meters":[]}');
    const real = new ManualClock(7);
    const meters = new MetersFile(path, real);
    expect(meters.asOf).toEqual({ slot: 1, fetchedAtMs: 7 });
    writeFileSync(path, '{"version":1,"meters":[{}]}');
    await expect(meters.refresh()).rejects.toThrow();
    expect(meters.asOf.slot).toBe(1);
    expect(() => new MetersFile(path, real)).toThrow();
  });
});

describe('migrations', () => {
  const extra = { name: 'ledger-99', sql: 'CREATE TABLE extra (x INTEGER) STRICT' };

  it('are applied once and in order, and commits are durable', () => {
    const path = join(directory, 'l.sqlite');
    openDatabase(path, ledgerMigrations).sqlite.close();
    const { sqlite } = openDatabase(path, [...ledgerMigrations, extra]);
    expect(
      sqlite
        .prepare('SELECT name FROM migrations ORDER BY name')
        .all()
        .map((r) => r.name),
    ).toEqual(['bounded-1', 'ledger-1', 'ledger-2', 'ledger-99', 'outbox-1', 'points-1']);
    expect(sqlite.prepare('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'wal' });
    expect(sqlite.prepare('PRAGMA synchronous').get()).toEqual({ synchronous: 2 });
    sqlite.close();
  });

  it('of a newer version stop an older one; those of a component that is off do not', () => {
    const path = join(directory, 'l.sqlite');
    openDatabase(path, [
      ...ledgerMigrations,
      extra,
      { name: 'chain-1', sql: 'CREATE TABLE c (x INTEGER) STRICT' },
    ]).sqlite.close();
    expect(() => openDatabase(path, ledgerMigrations)).toThrow('written by a newer version (ledger-99)');
    openDatabase(path, [...ledgerMigrations, extra]).sqlite.close();
  });

  it('a transaction that throws leaves nothing', () => {
    const { sqlite, transaction } = openDatabase(join(directory, 'l.sqlite'), [extra]);
    expect(() =>
      transaction(() => {
        sqlite.exec('INSERT INTO extra VALUES (1)');
        throw new Error('no');
      }),
    ).toThrow('no');
    expect(sqlite.prepare('SELECT count(*) AS n FROM extra').get()).toEqual({ n: 0 });
    expect(transaction(() => 5)).toBe(5);
    sqlite.close();
  });
});
