import { dirname } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { OperatorError } from '@gridtokenx/runtime/core';
import { makeFolder, makePrivate } from '@gridtokenx/runtime/node';
import { CHECK_WORKER, checkInBackground } from './background-check.js';
import { bytesOf, explained, MAX_CHECKED_AT_START_BYTES, openChecked } from './damage.js';

/** One change of the schema; applied once, in order, each in a transaction of its own. */
export interface Migration {
  /** Unique, never changed after release: "ledger-1", "chain-1". */
  readonly name: string;
  readonly sql: string;
}

/** The ledger's one SQLite file (WAL, synchronous FULL). All use is synchronous, so transactions never interleave. */
export interface Database {
  readonly sqlite: DatabaseSync;
  /** Commits what `work` did, or rolls all of it back and throws what `work` threw. Not nestable. */
  transaction<T>(work: () => T): T;
  /** Names the first damage found in the file since it was opened; null for none. */
  damage(): string | null;
}

/**
 * Opens (or makes) the ledger's file and applies what is missing of `migrations`. Commits are durable: WAL with
 * synchronous FULL syncs the log before a commit returns. Throws when the file cannot be used, is damaged, or was written
 * by a newer version.
 */
export function openDatabase(path: string, migrations: readonly Migration[]): Database {
  makeFolder(dirname(path));
  for (const suffix of ['', '-wal', '-shm']) makePrivate(`${path}${suffix}`);
  const sqlite = openChecked(path);
  const transaction = <T>(work: () => T): T => {
    sqlite.exec('BEGIN IMMEDIATE');
    try {
      const result = work();
      sqlite.exec('COMMIT');
      return result;
    } catch (error) {
      if (sqlite.isTransaction) sqlite.exec('ROLLBACK');
      throw error;
    }
  };
  try {
    sqlite.exec(
      'PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 2000',
    );
    migrate(sqlite, transaction, migrations);
  } catch (error) {
    sqlite.close();
    throw explained(path, error);
  }
  if (bytesOf(path) > MAX_CHECKED_AT_START_BYTES)
    void checkInBackground(path, (words) => sqlite.found(words), CHECK_WORKER);
  return { sqlite, transaction, damage: () => sqlite.damage };
}

function migrate(sqlite: DatabaseSync, transaction: <T>(work: () => T) => T, migrations: readonly Migration[]): void {
  sqlite.exec('CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY) STRICT');
  const applied = new Set(
    sqlite
      .prepare('SELECT name FROM migrations')
      .all()
      .map((row) => String(row.name)),
  );
  const known = new Set(migrations.map((migration) => migration.name));
  for (const name of applied) {
    // Another component's migrations (chain side off) are left alone; an unknown one of a known component is newer.
    const component = name.replace(/-[0-9]+$/, '');
    const isOurs = migrations.some((migration) => migration.name.startsWith(`${component}-`));
    if (isOurs && !known.has(name))
      throw new OperatorError({
        code: 'newer-version',
        problem: `the ledger was written by a newer version (${name})`,
        advice: 'install that version again',
      });
  }
  for (const { name, sql } of migrations) {
    if (applied.has(name)) continue;
    transaction(() => {
      sqlite.exec(sql);
      sqlite.prepare('INSERT INTO migrations (name) VALUES (?)').run(name);
    });
  }
}
