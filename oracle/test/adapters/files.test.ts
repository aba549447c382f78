import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { base58Encode, ed25519Signer, proveVerifier, verifyVectors } from '@gridtokenx/protocol';
import { provedVerifier, sodiumSigner } from '@gridtokenx/runtime/node/sodium';
import { systemRandom } from '@gridtokenx/runtime/node/system';
import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MetersFile } from '../../src/adapters/files/meters.js';
import { openDatabase } from '../../src/adapters/sqlite/database.js';
import { ledgerMigrations } from '../../src/adapters/sqlite/schema.js';

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'gtx-files-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe('libsodium', () => {
  it('signs the same bytes as the protocol, and passes the golden cases', () => {
    const seed = systemRandom.bytes(32);
    const message = systemRandom.bytes(115);
    expect(sodiumSigner(seed).publicKey).toEqual(ed25519Signer(seed).publicKey);
    expect(sodiumSigner(seed).sign(message)).toEqual(ed25519Signer(seed).sign(message));
    expect(provedVerifier().name).toBe('libsodium');
  });

  it('control: a verifier that says yes to everything does not start', () => {
    const verifier = { name: 'yes', verify: () => true };
    expect(() => proveVerifier(verifier, verifyVectors)).toThrow('judges');
  });
});

describe('meters file', () => {
  it('is read again, the last good content holds, and a bad one is refused at the start', async () => {
    const path = join(directory, 'meters.json');
    writeFileSync(path, '{"version":1,"meters":[]}');
    const clock = new VirtualClock({ startAtMs: 7 });
    const meters = new MetersFile(path, clock);
    expect(meters.asOf).toEqual({ chainSlot: 1, fetchedAtMs: 7 });
    writeFileSync(path, '{"version":1,"meters":[{}]}');
    await expect(meters.refresh()).rejects.toThrow();
    expect(meters.asOf.chainSlot).toBe(1);
    expect(() => new MetersFile(path, clock)).toThrow(
      /meters.json: not a file of meters: [\s\S]*; correct meters_file$/,
    );
  });

  it('names the meter whose owner is no public key, in one line', () => {
    const path = join(directory, 'meters.json');
    const key = base58Encode(new Uint8Array(32).fill(1));
    const meter = {
      ...{ meter_id: '0'.repeat(32), owner: 'someone', key, signer: 'gateway', role: 0, zone: 1 },
      ...{ import_baseline_wh: '0', export_baseline_wh: '0', export_limit_w: 1, import_limit_w: 1 },
      enrolment_window: 1,
    };
    const clock = new VirtualClock({ startAtMs: 7 });
    writeFileSync(path, JSON.stringify({ version: 1, meters: [meter] }));
    expect(() => new MetersFile(path, clock)).toThrow(
      /meters.json: not a file of meters: meter 0{32}: its owner is not a public key in base58; correct meters_file$/,
    );
    writeFileSync(path, JSON.stringify({ version: 1, meters: [{ ...meter, owner: key }] }));
    expect(new MetersFile(path, clock).meters().map(({ owner }) => owner)).toEqual([key]);
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
