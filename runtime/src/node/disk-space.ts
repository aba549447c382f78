import { statfsSync } from 'node:fs';

/** Below this a service says so: hours of readings of many meters, and room for SQLite to work. Bytes. */
export const MIN_FREE_BYTES = 256 * 1024 * 1024;
/** The disk is asked this often at most, in real milliseconds. */
const LOOK_EVERY_MS = 10_000;

/** Says when a folder's disk is nearly full, in words; null otherwise. `free`: free bytes; throws the disk's error. */
export function diskSpace(
  folder: string,
  monotonicMs: () => number,
  free: (path: string) => number = freeBytes,
): () => string | null {
  let checkedAtMs = Number.NEGATIVE_INFINITY;
  let problem: string | null = null;
  return () => {
    if (monotonicMs() - checkedAtMs < LOOK_EVERY_MS) return problem;
    checkedAtMs = monotonicMs();
    try {
      const bytes = free(folder);
      const megabytes = Math.floor(bytes / 1_048_576);
      problem = bytes < MIN_FREE_BYTES ? `${folder}: ${megabytes} MiB are free on its disk: make room` : null;
    } catch (error) {
      problem = `${folder}: its disk cannot be asked (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`;
    }
    return problem;
  };
}

function freeBytes(path: string): number {
  const { bavail, bsize } = statfsSync(path);
  return bavail * bsize;
}
