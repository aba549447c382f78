import {
  chmodSync,
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { OperatorError } from '../core/operator-error.js';
import { makeFolder } from './folders.js';
import { noRegularFile, READ_ONLY } from './regular-file.js';

/** Rights that new files and folders never get: a household's minutes are private on a shared machine. */
const PRIVATE_UMASK = 0o077;
const PRIVATE_FILE = 0o600;
const PRIVATE_FOLDER = 0o700;

/** The system calls that read and make a private file. Each throws the system's error. */
export interface FileCalls {
  open(path: string, flags: 'r' | 'w', mode?: number): number;
  mode(file: number): number;
  read(file: number): Uint8Array;
  /** Returns how many bytes the disk accepted: a nearly full disk accepts a part. */
  write(file: number, bytes: Uint8Array, offset: number): number;
  sync(file: number): void;
  close(file: number): void;
  link(from: string, to: string): void;
  rename(from: string, to: string): void;
  remove(path: string): void;
  makeFolder(path: string): void;
}

const nodeCalls: FileCalls = {
  // Opening a pipe without a writer would block for ever.
  open: (path, flags, mode) => openSync(path, flags === 'r' ? READ_ONLY : flags, mode),
  mode: (file) => fstatSync(file).mode,
  read: (file) => readFileSync(file),
  write: (file, bytes, offset) => writeSync(file, bytes, offset),
  sync: fsyncSync,
  close: closeSync,
  link: linkSync,
  rename: renameSync,
  remove: unlinkSync,
  makeFolder: (path) => makeFolder(path, PRIVATE_FOLDER),
};

/**
 * Makes every new file and folder of this process readable by its owner alone, those of libraries included. Call it first, and
 * in the main thread: worker threads have no umask of their own.
 */
export function privateFiles(): void {
  process.umask(PRIVATE_UMASK);
}

/**
 * Revokes the rights of everyone but the owner on an existing file. SQLite gives -wal and -shm the rights of the database
 * itself, whatever the umask. Call this before it opens a database that an earlier version may have made.
 */
export function makePrivate(path: string): void {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found && isReadableByOthers(found.mode)) chmodSync(path, PRIVATE_FILE);
}

/** Returns true for the mode of a file that others than its owner may read, write or run. Windows has no such modes. */
export function isReadableByOthers(mode: number, platform: string = process.platform): boolean {
  return platform !== 'win32' && (mode & PRIVATE_UMASK) !== 0;
}

/** Returns the error for a secret in a file that others may read. `what` names it: `key`, `token`. */
export function readableByOthers(file: string, mode: number, what = 'key'): OperatorError {
  const shown = (mode & 0o777).toString(8).padStart(4, '0');
  const problem = `others may read this ${what} (mode ${shown})`;
  const advice = 'chmod 600 it, and think about who may have copied it';
  return new OperatorError({ code: 'readable-by-others', file, problem, advice });
}

/** Throws `OperatorError` when others may read a secret, and the system's error when there is no such file. */
export function refuseReadableByOthers(file: string, what?: string): void {
  const { mode } = statSync(file);
  if (isReadableByOthers(mode)) throw readableByOthers(file, mode, what);
}

/** The name of a secret, and the command that makes it. */
export interface SecretWords {
  /** `key`, `token`. */
  readonly what: string;
  /** Advice for a missing secret. */
  readonly missing: string;
}

/** Returns the bytes of a secret in a file. Throws `OperatorError` when it is missing or unreadable, or others may read it. */
export function readPrivateFile(path: string, words: SecretWords, calls: FileCalls = nodeCalls): Uint8Array {
  let file: number;
  try {
    file = calls.open(path, 'r');
  } catch (cause) {
    throw unreadable(path, words, cause);
  }
  try {
    // The mode of the open file: another file may get its name meanwhile.
    const mode = calls.mode(file);
    if (!isFileOrFolder(mode)) throw noRegularFile(path);
    if (isReadableByOthers(mode)) throw readableByOthers(path, mode, words.what);
    return calls.read(file);
  } catch (cause) {
    throw cause instanceof OperatorError ? cause : unreadable(path, words, cause);
  } finally {
    calls.close(file);
  }
}

/** Returns false for a pipe, a device and a socket: they may never end. A mode without a type is a file's. */
function isFileOrFolder(mode: number): boolean {
  const type = mode & constants.S_IFMT;
  return type === 0 || type === constants.S_IFREG || type === constants.S_IFDIR;
}

function unreadable(file: string, { what, missing }: SecretWords, cause: unknown): OperatorError {
  const why = (cause as NodeJS.ErrnoException).code ?? String(cause);
  const fault =
    why === 'ENOENT'
      ? { code: 'missing-file', problem: `the ${what} file is missing`, advice: missing }
      : { code: 'unreadable', problem: `the ${what} file cannot be read (${why})`, advice: 'let this user read it' };
  return new OperatorError({ file, ...fault }, { cause });
}

/** Writes bytes into a new file of mode 0600 and syncs them. Throws the system's error, and then leaves no file. */
function writeTemporary(path: string, bytes: Uint8Array, calls: FileCalls): string {
  const temporary = `${path}.${process.pid}.new`;
  const file = calls.open(temporary, 'w', PRIVATE_FILE);
  try {
    try {
      for (let at = 0; at < bytes.length; ) at += calls.write(file, bytes, at);
      calls.sync(file);
    } finally {
      calls.close(file);
    }
  } catch (error) {
    calls.remove(temporary);
    throw error;
  }
  return temporary;
}

/** Syncs the names in a folder, so that they survive a power cut. Throws the system's error. */
export function syncFolder(path: string, calls: FileCalls = nodeCalls): void {
  const folder = calls.open(path, 'r');
  try {
    calls.sync(folder);
  } finally {
    calls.close(folder);
  }
}

/**
 * Replaces a file, or makes a new one, with mode 0600. It survives a power cut, and a reader or a crash sees the old content or
 * the new. Throws the system's error, and then leaves no temporary file.
 */
export function replacePrivateFile(path: string, bytes: Uint8Array, calls: FileCalls = nodeCalls): void {
  calls.makeFolder(dirname(path));
  const temporary = writeTemporary(path, bytes, calls);
  try {
    calls.rename(temporary, path);
  } catch (error) {
    calls.remove(temporary);
    throw error;
  }
  syncFolder(dirname(path), calls);
}

/**
 * Makes a file of mode 0600 that survives a power cut. Returns false when one exists: of several processes that start together,
 * the first wins. Throws the system's error, and then leaves no temporary file.
 */
export function createPrivateFile(path: string, bytes: Uint8Array, calls: FileCalls = nodeCalls): boolean {
  calls.makeFolder(dirname(path));
  const temporary = writeTemporary(path, bytes, calls);
  try {
    // A link fails if the name exists.
    calls.link(temporary, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return false;
  } finally {
    calls.remove(temporary);
  }
  syncFolder(dirname(path), calls);
  return true;
}
