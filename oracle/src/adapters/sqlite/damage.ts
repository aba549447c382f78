import { existsSync, renameSync, statSync } from 'node:fs';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { equalBytes, shortHash } from '@gridtokenx/protocol';
import { OperatorError } from '@gridtokenx/runtime/core';

/** SQLite's primary result codes (the low 8 bits of `errcode`) that mean damage. */
const CORRUPT = 11;
const NOT_A_DATABASE = 26;
const IO_ERROR = 10;

/** A file up to this size is checked as a whole before it is used: two seconds on a slow disk. Bytes. */
export const MAX_CHECKED_AT_START_BYTES = 256 * 1024 * 1024;
/** Of a larger file that many of the newest rows of each table are read, in both directions of its keys. */
const SAMPLED_ROWS = 1_000;

/** A database file that cannot be trusted. The message is one line with the way out. */
export class DatabaseDamaged extends OperatorError {
  override readonly name = 'DatabaseDamaged';

  constructor(problem: string) {
    super({ code: 'damaged-database', problem, advice: '' });
  }
}

const codeOf = (error: unknown): number => ((error as { errcode?: number }).errcode ?? 0) & 0xff;

/** Returns in words how an error of SQLite says that the file is damaged; null when it says nothing about the file. */
export function damageIn(error: unknown): string | null {
  const code = codeOf(error);
  if (code === CORRUPT || code === NOT_A_DATABASE) return `is damaged (${(error as Error).message})`;
  if (code === IO_ERROR) return `cannot be read or written (${(error as Error).message})`;
  return null;
}

/** Returns the advice that follows a damaged file's name in a message. */
export function wayOut(path: string): string {
  return `${path}: move it aside with "gridtokenx-oracle set-aside --config FILE" while the oracle is stopped, then start it`;
}

type Call = (...args: never[]) => unknown;

/** SQLite does not notice a bit that flips inside a value: a stored message has its hash beside it. */
function holds(row: unknown): boolean {
  const { bytes, hash } = (row ?? {}) as { bytes?: unknown; hash?: unknown };
  if (!(bytes instanceof Uint8Array) || !(hash instanceof Uint8Array)) return true;
  return equalBytes(shortHash(bytes), hash);
}

/**
 * A database that remembers damage: once a page did not hold, everything else on it is refused, so that nothing more is
 * acknowledged or attested from it. A failing disk is remembered too, and tried again.
 */
export class WatchedDatabase extends DatabaseSync {
  readonly #path: string;
  #damage: string | null = null;
  #isLost = false;

  constructor(path: string) {
    super(path);
    this.#path = path;
  }

  /** Names the first damage found in the file; null for none. */
  get damage(): string | null {
    return this.#damage;
  }

  /** Somebody else looked at the file, and it does not hold: it is used no more. */
  found(words: string): void {
    this.#damage ??= words;
    this.#isLost = true;
  }

  override exec(sql: string): void {
    // An open transaction must end even in a damaged file.
    if (sql === 'ROLLBACK') super.exec(sql);
    else this.#guard(() => super.exec(sql));
  }

  override prepare(sql: string): StatementSync {
    const statement = this.#guard(() => super.prepare(sql));
    for (const name of ['run', 'get', 'all'] as const) {
      const call = statement[name].bind(statement) as Call;
      const value = (...args: never[]) => this.#held(this.#guard(() => call(...args)));
      Object.defineProperty(statement, name, { value });
    }
    const iterate = statement.iterate.bind(statement) as (...args: never[]) => Iterator<unknown>;
    Object.defineProperty(statement, 'iterate', { value: (...args: never[]) => this.#each(() => iterate(...args)) });
    return statement;
  }

  *#each(begin: () => Iterator<unknown>): Generator<unknown> {
    const rows = this.#guard(begin);
    let isDone = false;
    try {
      for (;;) {
        const { done, value } = this.#guard(() => rows.next());
        isDone = done === true;
        if (isDone) return;
        yield this.#held(value);
      }
    } finally {
      if (!isDone) rows.return?.();
    }
  }

  #held<T>(found: T): T {
    for (const row of Array.isArray(found) ? found : [found]) {
      if (holds(row)) continue;
      this.found('is damaged (a stored message is not what was stored)');
      return this.#guard(() => found);
    }
    return found;
  }

  #guard<T>(work: () => T): T {
    if (this.#isLost) throw new DatabaseDamaged(`${this.#path} ${this.#damage}; ${wayOut(this.#path)}`);
    try {
      return work();
    } catch (error) {
      const damage = damageIn(error);
      if (damage !== null) {
        this.#damage ??= damage;
        this.#isLost = codeOf(error) !== IO_ERROR;
      }
      throw error;
    }
  }
}

/**
 * Opens a database file and looks whether it holds: as a whole where it is small, else its newest rows. Throws
 * `DatabaseDamaged` for one that does not, and the disk's error.
 */
export function openChecked(path: string, maxBytes = MAX_CHECKED_AT_START_BYTES): WatchedDatabase {
  let database: WatchedDatabase | undefined;
  try {
    database = new WatchedDatabase(path);
    // The first read also takes in what the log of a killed process holds.
    const found = bytesOf(path) <= maxBytes ? quickCheck(database) : sample(database);
    if (found !== null) throw new DatabaseDamaged(`${path} is damaged (${found}); ${wayOut(path)}`);
    return database;
  } catch (error) {
    if (database?.isOpen) database.close();
    throw explained(path, error);
  }
}

/** Size of a database's file; 0 for one in memory. */
export function bytesOf(path: string): number {
  return path === ':memory:' ? 0 : statSync(path).size;
}

/** An error of opening or preparing a file: with the way out, where it means damage. */
export function explained(path: string, error: unknown): unknown {
  const damage = error instanceof DatabaseDamaged ? null : damageIn(error);
  return damage === null ? error : new DatabaseDamaged(`${path} ${damage}; ${wayOut(path)}`);
}

function quickCheck(database: DatabaseSync): string | null {
  const [row] = database.prepare('PRAGMA quick_check(1)').all();
  const found = String(row?.quick_check ?? 'nothing was answered');
  return found === 'ok' ? null : (found.split('\n')[0] ?? found);
}

/** Reads the first and the last rows of every table; the pages on the way to them are checked as they are read. */
function sample(database: DatabaseSync): string | null {
  const tables = database
    .prepare("SELECT name, wr FROM pragma_table_list WHERE type = 'table' AND schema = 'main'")
    .all();
  for (const { name, wr } of tables) {
    const from = `SELECT * FROM "${String(name)}"`;
    database.prepare(`${from} LIMIT ${SAMPLED_ROWS}`).all();
    if (Number(wr) === 0) database.prepare(`${from} ORDER BY rowid DESC LIMIT ${SAMPLED_ROWS}`).all();
  }
  return null;
}

/** Returns the suffix of a file that is moved aside: UTC to the second. */
export function stampOf(ms: number): string {
  return `damaged-${new Date(ms).toISOString().slice(0, 19).replaceAll(':', '')}Z`;
}

const SUFFIXES = ['', '-wal', '-shm'] as const;

/** Gives a database's files another name, durably enough for a person to look at. Returns the new names; none is replaced. */
export function moveAside(path: string, stamp: string): string[] {
  const moved: string[] = [];
  for (const suffix of SUFFIXES) {
    const from = `${path}${suffix}`;
    if (!existsSync(from)) continue;
    const to = `${path}.${stamp}${suffix}`;
    if (existsSync(to))
      throw new OperatorError({
        code: 'name-taken',
        file: to,
        problem: 'is there already',
        advice: 'wait a second and try again',
      });
    renameSync(from, to);
    moved.push(to);
  }
  return moved;
}
