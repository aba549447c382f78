import { writeSync } from 'node:fs';

/** Writes bytes to a file descriptor and returns how many it accepted. Throws the system's error. */
export type WriteBytes = (bytes: Uint8Array) => number;

/** Bounds the retries of a pipe with a slow reader; the sleeps between them are 100 ms together. */
const MAX_TRIES = 20;
const PAUSE_MS = 5;

const toStandardOutput: WriteBytes = (bytes) => writeSync(1, bytes);
const waitBriefly = () => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MS);

/**
 * Writes lines to the standard output at once, and loses the lines that it does not accept. A full disk, or a reader that is
 * gone, must neither stop a service nor keep it from ending. Never throws.
 */
export function lossyLines(write: WriteBytes = toStandardOutput, wait: () => void = waitBriefly) {
  let isTorn = false;
  return {
    write(line: string): void {
      // A line after a torn one begins a line of its own.
      const bytes = Buffer.from(isTorn ? `\n${line}` : line);
      const written = taken(bytes, write, wait);
      if (written > 0) isTorn = written < bytes.length;
    },
  };
}

/** Returns how many bytes were written, up to the first error. */
function taken(bytes: Uint8Array, write: WriteBytes, wait: () => void): number {
  let at = 0;
  for (let tries = 0; at < bytes.length && tries < MAX_TRIES; ) {
    try {
      at += write(bytes.subarray(at));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return at;
      tries++;
      wait();
    }
  }
  return at;
}
