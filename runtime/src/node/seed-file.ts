import { fromHex, toHex } from '@gridtokenx/protocol';
import { OperatorError } from '../core/operator-error.js';
import type { Random } from '../core/random.js';
import { createPrivateFile, readPrivateFile } from './private-files.js';

const SEED_BYTES = 32;
const SEED_TEXT = /^[0-9a-f]{64}$/i;

/**
 * The Ed25519 seed in a key file (64 digits of hex) that its owner alone may read. `missing` says what makes the file.
 * Throws `OperatorError`; what is in the file never stands in it.
 */
export function readSeedFile(path: string, missing: string): Uint8Array {
  const text = Buffer.from(readPrivateFile(path, { what: 'key', missing }))
    .toString('utf8')
    .trim();
  if (SEED_TEXT.test(text)) return fromHex(text.toLowerCase());
  const advice = 'restore it from a backup';
  throw new OperatorError({ code: 'damaged-file', file: path, problem: 'not a key file (64 digits of hex)', advice });
}

/** Makes a key file with a new seed, durably and with mode 0600, unless one is there; the seed that is in it then. */
export function ensureSeedFile(path: string, random: Pick<Random, 'bytes'>, missing: string): Uint8Array {
  createPrivateFile(path, Buffer.from(`${toHex(random.bytes(SEED_BYTES))}\n`));
  return readSeedFile(path, missing);
}
