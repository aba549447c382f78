/** Rights that new files and folders never get: a household's minutes are nobody's business on a shared machine. */
const PRIVATE_UMASK = 0o077;

/**
 * Makes every file and folder that this process creates from now on readable by its owner alone, those of libraries
 * included (SQLite's -wal and -shm). Call it first, and in the main thread: worker threads have no umask of their own.
 */
export function privateFiles(): void {
  process.umask(PRIVATE_UMASK);
}
