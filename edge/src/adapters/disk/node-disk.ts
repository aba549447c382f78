import { open, readdir, rename, stat, truncate, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { makeFolderLater, readRegularFileLater } from '@gridtokenx/runtime/node';
import type { AppendFile, Disk } from '../../domain/ports.js';

const absent = (error: unknown) => (error as NodeJS.ErrnoException).code === 'ENOENT';

async function syncPath(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Writes a file beside `path`, and renames it to `path`. */
async function writeBeside(path: string, bytes: Uint8Array, isSynced: boolean): Promise<void> {
  const temporary = `${path}.new`;
  const handle = await open(temporary, 'w', 0o600);
  try {
    await handle.writeFile(bytes);
    if (isSynced) await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(temporary, path);
}

/**
 * Implements the disk by Node's file system. All calls run in the thread pool, so a slow card never blocks the event
 * loop.
 */
export const nodeDisk: Disk = {
  async makeDir(path) {
    await makeFolderLater(path, 0o700);
    await syncPath(dirname(path));
  },

  async list(path) {
    try {
      return (await readdir(path)).sort();
    } catch (error) {
      if (absent(error)) return [];
      throw error;
    }
  },

  async read(path) {
    try {
      return await readRegularFileLater(path);
    } catch (error) {
      if (absent(error)) return null;
      throw error;
    }
  },

  async size(path) {
    try {
      return (await stat(path)).size;
    } catch (error) {
      if (absent(error)) return null;
      throw error;
    }
  },

  async readAt(path, offset, length) {
    const handle = await open(path, 'r');
    try {
      const buffer = new Uint8Array(length);
      const { bytesRead } = await handle.read(buffer, 0, length, offset);
      return buffer.subarray(0, bytesRead);
    } finally {
      await handle.close();
    }
  },

  async openAppend(path): Promise<AppendFile> {
    const handle = await open(path, 'a', 0o600);
    return {
      append: async (bytes) => handle.appendFile(bytes),
      sync: () => handle.datasync(),
      close: () => handle.close(),
    };
  },

  async truncate(path, length) {
    await truncate(path, length);
    await syncPath(path);
  },

  async replace(path, bytes) {
    await writeBeside(path, bytes, true);
    await syncPath(dirname(path));
  },

  replaceUnsynced: (path, bytes) => writeBeside(path, bytes, false),

  remove: (path) => unlink(path),
  syncDir: syncPath,
};
