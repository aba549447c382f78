import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { Random } from '@gridtokenx/testing-kit/random';

const SECTOR = 512;

/** The files of a SQLite database in WAL mode; each open rebuilds the shared-memory index. */
export interface Files {
  readonly main: Uint8Array;
  readonly wal: Uint8Array;
}

const readOr = (path: string) => (existsSync(path) ? new Uint8Array(readFileSync(path)) : new Uint8Array(0));

export function readFiles(path: string): Files {
  return { main: readOr(path), wal: readOr(`${path}-wal`) };
}

export function writeFiles(path: string, { main, wal }: Files): void {
  writeFileSync(path, main);
  writeFileSync(`${path}-wal`, wal);
  rmSync(`${path}-shm`, { force: true });
}

/**
 * Returns the files after a power cut between two known moments, by the order in which SQLite syncs (WAL, synchronous
 * FULL). A commit writes the log, syncs it, and may then copy the log into the main file. So either the log is torn and
 * the main file is as before, or the log is whole and the main file is torn. `isUnsynced`: nothing was synced at all,
 * and both are torn.
 */
export function cutBetween(before: Files, after: Files, random: Random, isUnsynced = false): Files {
  const isMainWritten = Buffer.compare(before.main, after.main) !== 0;
  if (isUnsynced) return { main: torn(before.main, after.main, random), wal: torn(before.wal, after.wal, random) };
  if (isMainWritten && random.chance(0.5)) return { main: torn(before.main, after.main, random), wal: after.wal };
  return { main: before.main, wal: tornLog(before.wal, after.wal, random) };
}

const LOG_HEADER = 32;

/**
 * Tears a log. A log that begins anew first gets its header, which SQLite syncs before the frames behind it
 * (walFrames). An old header with some new frames would restore a part of the old log over a newer main file.
 */
function tornLog(before: Uint8Array, after: Uint8Array, random: Random): Uint8Array {
  const header = after.subarray(0, LOG_HEADER);
  const isNew = before.length >= LOG_HEADER && Buffer.compare(before.subarray(0, LOG_HEADER), header) !== 0;
  if (!isNew) return torn(before, after, random);
  if (random.chance(0.2)) return before;
  const begun = before.slice();
  begun.set(header);
  return torn(begun, after, random);
}

/** Makes each changed sector by itself the old or the new one; the length is anything in between. */
function torn(before: Uint8Array, after: Uint8Array, random: Random): Uint8Array {
  const longest = Math.max(before.length, after.length);
  const result = new Uint8Array(longest);
  result.set(before);
  const chance = random.pick([0, 0.2, 0.5, 0.8, 1]);
  let length = before.length;
  for (let at = 0; at < after.length; at += SECTOR) {
    const end = Math.min(at + SECTOR, after.length);
    const isSame = end <= before.length && Buffer.compare(before.subarray(at, end), after.subarray(at, end)) === 0;
    if (isSame || !random.chance(chance)) continue;
    result.set(after.subarray(at, end), at);
    length = Math.max(length, end);
  }
  if (chance === 1) return after.slice();
  return result.slice(0, length);
}
