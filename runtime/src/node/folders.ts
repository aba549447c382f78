import { mkdirSync, statSync } from 'node:fs';
import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/** The parent is missing, or accepts no folder, as /proc: there Node's own `recursive` never ends. */
const isMissing = (error: unknown) => (error as NodeJS.ErrnoException).code === 'ENOENT';
const isThere = (error: unknown) => (error as NodeJS.ErrnoException).code === 'EEXIST';

/** Makes a folder and its missing parents. An existing folder stays unchanged. Throws the system's error. */
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

/** Makes the folder in the thread pool, for a slow disk. Rejects as `makeFolder` throws. */
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
