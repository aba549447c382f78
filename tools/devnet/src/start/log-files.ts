import { closeSync, copyFileSync, fstatSync, ftruncateSync, openSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** Bounds a process's log: the log and its predecessor have at most twice this, and the output between two checks. */
export const MAX_LOG_BYTES = 4 * 1_048_576;
/** Interval of the supervisor's checks of log sizes. */
export const LOG_LOOK_MS = 2_000;

/**
 * Moves a log's content to `PATH.1` when it is longer than `maxBytes`, and replaces the content there. The file stays
 * the same, because the process that writes it continues to append: a line written at that very moment may be lost.
 * Returns true when it moved the content.
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

/** Checks every log in a folder. A log that cannot be moved waits for the next check: the disk may be full. */
export function rotateAll(folder: string, maxBytes = MAX_LOG_BYTES): void {
  for (const name of readdirSync(folder)) {
    if (!name.endsWith('.log')) continue;
    try {
      rotate(join(folder, name), maxBytes);
    } catch {
      // Not logged: the log itself failed, and the next check follows soon.
    }
  }
}
