import { chmodSync, statSync } from 'node:fs';

/** Rights that new files and folders never get: a household's minutes are nobody's business on a shared machine. */
const PRIVATE_UMASK = 0o077;
const PRIVATE_FILE = 0o600;

/**
 * Makes every file and folder that this process creates from now on readable by its owner alone, those of libraries
 * included. Call it first, and in the main thread: worker threads have no umask of their own.
 */
export function privateFiles(): void {
  process.umask(PRIVATE_UMASK);
}

/**
 * Takes a file that is there from everyone but its owner. SQLite gives -wal and -shm the rights of the database itself,
 * whatever the umask: call this before it opens one that an earlier version may have made.
 */
export function makePrivate(path: string): void {
  const found = statSync(path, { throwIfNoEntry: false });
  if (process.platform !== 'win32' && found && (found.mode & PRIVATE_UMASK) !== 0) chmodSync(path, PRIVATE_FILE);
}
