import { closeSync, copyFileSync, fstatSync, ftruncateSync, openSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** A process's log and the one before it take at most twice this, and what is written between two looks. */
export const MAX_LOG_BYTES = 4 * 1_048_576;
/** The supervisor looks at the sizes this often. */
export const LOG_LOOK_MS = 2_000;

/**
 * Moves what a log holds to `PATH.1` when it is longer than `maxBytes`, in place of what was there. The file stays the
 * same, because the process that writes it goes on appending to it: a line written at that very moment may be lost.
 * Returns whether it was moved.
 */
export function rotate(path: string, maxBytes = MAX_LOG_BYTES): boolean {
  const file = openSync(path, 'r+');
  try {
    if (fstatSync(file).size <= maxBytes) return false;
    copyFileSync(path, `${path}.1`);
    ftruncateSync(file, 0);
    return true;
  } finally {
    closeSync(file);
  }
}

/** Looks at every log in a folder. A log that cannot be moved is left for the next look: the disk may be full. */
export function rotateAll(folder: string, maxBytes = MAX_LOG_BYTES): void {
  for (const name of readdirSync(folder)) {
    if (!name.endsWith('.log')) continue;
    try {
      rotate(join(folder, name), maxBytes);
    } catch {
      // Said nowhere: the log is where it would be said, and the next look comes soon.
    }
  }
}
