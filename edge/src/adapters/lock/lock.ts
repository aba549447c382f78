import { createHash } from 'node:crypto';
import { closeSync, constants, openSync, readFileSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer, type Server } from 'node:net';
import { OperatorError } from '@gridtokenx/runtime/core';
import { networkFileSystem } from './mounts.js';

const LOCK_EX = 2;
const LOCK_NB = 4;

/** A locked data directory; the system ends the lock with its process, however the process ended. */
export interface DirectoryLock {
  release(): Promise<void>;
}

/**
 * Locks a data directory for one process: two processes would assign the same seqs. Two locks of the kernel hold it. The
 * first is `flock` on the directory, which containers with the same volume share. The second is a name (Linux), which
 * earlier versions take. Resolves with null when another process holds the directory. Throws `OperatorError` for a
 * network file system, where a lock says nothing about other machines.
 */
export async function lockDirectory(directory: string, mounts = readMounts): Promise<DirectoryLock | null> {
  const real = realpathSync(directory);
  const network = networkFileSystem(real, mounts());
  if (network) {
    const problem = `${directory} is on a network file system (${network}), where no lock keeps other machines out`;
    throw new OperatorError({ code: 'network-file-system', problem, advice: 'use a local disk' });
  }
  const release = flockDirectory(real);
  if (!release) return null;
  const name = await lockName(real).catch((error: unknown) => {
    release();
    throw error;
  });
  if (!name) {
    release();
    return null;
  }
  return {
    release: () =>
      new Promise((resolve) => {
        release();
        name.close(() => resolve());
      }),
  };
}

/** Returns the text of the mount table; empty where the system shows none. */
function readMounts(): string {
  try {
    return readFileSync('/proc/self/mountinfo', 'utf8');
  } catch {
    return '';
  }
}

/**
 * Locks the directory itself by `flock`, so that no lock file can be removed and read-only disks can be locked. Returns
 * the function that releases it, or null when another process holds it. Throws `OperatorError` where no lock works.
 */
export function flockDirectory(directory: string): (() => void) | null {
  if (process.platform === 'win32') return () => {};
  const file = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    if (isLocked(file)) return () => closeSync(file);
    closeSync(file);
    return null;
  } catch (cause) {
    closeSync(file);
    const problem = `${directory} cannot be locked (${(cause as Error).message})`;
    throw new OperatorError(
      { code: 'no-lock', problem, advice: 'put it on a local disk, or install again' },
      { cause },
    );
  }
}

interface Koffi {
  load(path: string | null): { func(prototype: string): (fd: number, operation: number) => number };
  errno(): number;
  readonly os: { readonly errno: Readonly<Record<string, number>> };
}

/** Returns false when another open file holds the lock. Throws an `Error` for every other failure. */
function isLocked(file: number): boolean {
  // Loaded here: commands that lock nothing need no foreign calls. `null` names the functions of this program.
  const koffi = createRequire(import.meta.url)('koffi') as Koffi;
  const flock = koffi.load(null).func('int flock(int fd, int operation)');
  const { EWOULDBLOCK, EINTR } = koffi.os.errno;
  for (;;) {
    if (flock(file, LOCK_EX | LOCK_NB) === 0) return true;
    const failure = koffi.errno();
    if (failure === EWOULDBLOCK) return false;
    if (failure !== EINTR) throw new Error(`flock: error ${failure}`);
  }
}

/** Takes the directory's name in the kernel. Resolves with null when another process of this container has it. */
function lockName(real: string): Promise<Server | null> {
  const server = createServer((socket) => socket.destroy());
  server.unref();
  if (process.platform !== 'linux') return Promise.resolve(server);
  const name = createHash('sha256').update(real).digest('hex').slice(0, 32);
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(null);
      else reject(error);
    });
    server.listen(`\0gridtokenx-gateway-${name}`, () => resolve(server));
  });
}
