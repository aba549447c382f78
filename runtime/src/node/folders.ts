import { mkdirSync, statSync } from 'node:fs';
import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/** A folder above is missing, or is there and takes no other, as /proc does: Node's own `recursive` never ends then. */
const isMissing = (error: unknown) => (error as NodeJS.ErrnoException).code === 'ENOENT';
const isThere = (error: unknown) => (error as NodeJS.ErrnoException).code === 'EEXIST';

/** Makes a folder, and those above it that are missing; one that is there stays as it is. Throws the system's error. */
export function makeFolder(path: string, mode = 0o777): void {
  const make = () => {
    try {
      mkdirSync(path, mode);
    } catch (error) {
      if (!isThere(error) || !statSync(path).isDirectory()) throw error;
    }
  };
  try {
    make();
  } catch (error) {
    if (!isMissing(error) || dirname(path) === path) throw error;
    makeFolder(dirname(path), mode);
    make();
  }
}

/** The same in the thread pool, for a slow disk. Rejects as `makeFolder` throws. */
export async function makeFolderLater(path: string, mode = 0o777): Promise<void> {
  const make = async () => {
    try {
      await mkdir(path, mode);
    } catch (error) {
      if (!isThere(error) || !(await stat(path)).isDirectory()) throw error;
    }
  };
  try {
    await make();
  } catch (error) {
    if (!isMissing(error) || dirname(path) === path) throw error;
    await makeFolderLater(dirname(path), mode);
    await make();
  }
}
