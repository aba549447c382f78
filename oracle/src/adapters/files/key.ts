import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { fromHex, toHex } from '@gridtokenx/protocol';
import type { Randomness } from '../../domain/ports.js';

/** The 32-byte seed in a key file (hex), which its owner alone may read. Throws an `Error` that says what to do. */
export function readKeyFile(path: string): Uint8Array {
  let text: string;
  try {
    text = readFileSync(path, 'utf8').trim();
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') {
      throw new Error(`${path}: the key file is missing; make it with "init --config FILE"`, { cause });
    }
    throw new Error(`${path}: the key file cannot be read: ${(cause as Error).message}`, { cause });
  }
  if (process.platform !== 'win32' && (statSync(path).mode & 0o077) !== 0) {
    throw new Error(`${path}: others may read this key: chmod 600 it, and think about who may have copied it`);
  }
  if (!/^[0-9a-f]{64}$/i.test(text)) throw new Error(`${path}: not a key file (64 digits of hex)`);
  return fromHex(text);
}

/** Makes the key file with mode 0600 unless it is there, durably; returns its seed. */
export function ensureKeyFile(path: string, randomness: Randomness): Uint8Array {
  mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}.new`;
  const file = openSync(temporary, 'w', 0o600);
  try {
    writeSync(file, `${toHex(randomness.bytes(32))}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  try {
    // A link fails where a key is there already: the first one made stays, whoever else starts at the same moment.
    linkSync(temporary, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    unlinkSync(temporary);
  }
  const directory = openSync(dirname(path), 'r');
  fsyncSync(directory);
  closeSync(directory);
  return readKeyFile(path);
}
