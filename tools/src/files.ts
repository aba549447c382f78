import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

/** What a start writes tells of homes: nobody else on the machine reads it. */
const PRIVATE = 0o600;

/** Writes `text` so that after a power cut either the old or the new file is there, whole. */
export function writeFileDurably(path: string, text: string, mode = PRIVATE): void {
  const temporary = `${path}.tmp`;
  const file = openSync(temporary, 'w', mode);
  try {
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(temporary, path);
  const directory = openSync(dirname(path), 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

/** The JSON in a file, or null where there is none. Throws with the path where it cannot be read. */
export function readJson<T>(path: string): T | null {
  if (!existsSync(path)) return null;
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as T;
  } catch (cause) {
    throw new Error(`${path} is not JSON: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
}

/** Writes a value as JSON, durably, making the folder when it is missing. */
export function writeJson(path: string, value: unknown, mode = PRIVATE): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileDurably(path, `${JSON.stringify(value, null, 1)}\n`, mode);
}
