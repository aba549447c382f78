import { closeSync, constants, fstatSync, openSync, readFileSync, type Stats } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { OperatorError } from '../core/operator-error.js';

/** A profile of many homes has some tens of MiB; nothing else that is read whole has more. Bytes. */
const MAX_BYTES = 268_435_456;
/** Opening a pipe that nobody writes would wait without end; on a regular file this changes nothing. Windows has none. */
export const READ_ONLY = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

/**
 * The whole of a regular file. Throws `OperatorError` for a pipe, a device, a socket and for more than `mostBytes`, and
 * otherwise the system's error, which names the path.
 */
export function readRegularFile(path: string, mostBytes = MAX_BYTES): Buffer {
  return named(path, () => {
    const file = openSync(path, READ_ONLY);
    try {
      refuseOthers(path, fstatSync(file), mostBytes);
      return readFileSync(file);
    } finally {
      closeSync(file);
    }
  });
}

/** The same in the thread pool, for a slow disk. Rejects as `readRegularFile` throws. */
export async function readRegularFileLater(path: string, mostBytes = MAX_BYTES): Promise<Buffer> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, READ_ONLY);
    refuseOthers(path, await file.stat(), mostBytes);
    return await file.readFile();
  } catch (error) {
    throw withPath(error, path);
  } finally {
    await file?.close();
  }
}

/** Throws `OperatorError` for what has no end, or too late a one. A folder is left to the system: it says so itself. */
function refuseOthers(path: string, found: Stats, mostBytes: number): void {
  if (!found.isFile() && !found.isDirectory()) throw noRegularFile(path);
  if (found.size <= mostBytes) return;
  const problem = `is longer than ${mostBytes} bytes`;
  throw new OperatorError({ code: 'too-large', file: path, problem, advice: 'is it the right file?' });
}

/** The error for a pipe, a device or a socket where a file is wanted. */
export function noRegularFile(file: string): OperatorError {
  return new OperatorError({ code: 'no-regular-file', file, problem: 'is no regular file', advice: 'name a file' });
}

function named<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw withPath(error, path);
  }
}

/** The system names no path once a file is open. */
function withPath(error: unknown, path: string): Error {
  return Object.assign(error as Error, { path });
}
