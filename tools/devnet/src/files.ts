import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { UserError } from './user-error.js';

/** What a start writes tells of homes: nobody else on the machine reads it. */
const PRIVATE = 0o600;

/** Writes a new file durably. Throws the disk's error, and leaves nothing behind then. */
export function writeWhole(path: string, text: string, mode: number): void {
  const bytes = Buffer.from(text);
  const file = openSync(path, 'w', mode);
  try {
    // A disk that is nearly full takes a part, and says so only when it is asked again.
    for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
    fsyncSync(file);
  } catch (error) {
    rmSync(path, { force: true });
    throw error;
  } finally {
    closeSync(file);
  }
}

/** Makes new names in a folder survive a power cut. */
export function syncFolder(path: string): void {
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

/** Writes `text` so that after a power cut either the old or the new file is there, whole. */
export function writeFileDurably(path: string, text: string, mode = PRIVATE): void {
  const temporary = `${path}.tmp`;
  writeWhole(temporary, text, mode);
  renameSync(temporary, path);
  syncFolder(dirname(path));
}

/** The JSON in a file, or null where there is none. Throws `UserError` with the path where it cannot be read. */
export function readJson<T>(path: string): T | null {
  if (!existsSync(path)) return null;
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as T;
  } catch (cause) {
    throw new UserError(`${path} is not JSON: bring it back from a backup (${firstLine(cause)})`);
  }
}

const firstLine = (cause: unknown): string =>
  (cause instanceof Error ? cause.message : String(cause)).split('\n')[0] ?? '';

/** Writes a value as JSON, durably, making the folder when it is missing. */
export function writeJson(path: string, value: unknown, mode = PRIVATE): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileDurably(path, `${JSON.stringify(value, null, 1)}\n`, mode);
}
