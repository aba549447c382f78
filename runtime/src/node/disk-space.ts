import { statfsSync } from 'node:fs';

/** The free bytes below which a service reports a problem: hours of many meters' readings, and room for SQLite. */
export const MIN_FREE_BYTES = 256 * 1024 * 1024;
/** Bounds how often the service queries the disk, in real milliseconds. */
const LOOK_EVERY_MS = 10_000;

/** Returns a function that reports a nearly full disk in words; null otherwise. `free`: free bytes; throws the disk's error. */
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

/** Returns the free bytes of the disk that a path is on. Throws the system's error. */
export function freeBytes(path: string): number {
  const { bavail, bsize } = statfsSync(path);
  return bavail * bsize;
}
