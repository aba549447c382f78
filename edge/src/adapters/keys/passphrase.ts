import { join } from 'node:path';
import type { Random } from '@gridtokenx/runtime/core';
import { readPrivateFile, readRegularFile } from '@gridtokenx/runtime/node';
import { KeyError } from './key-error.js';
import { KeySealer } from './sealed-seed.js';

/** Environment variable that names the passphrase's file. */
const VARIABLE = 'GTX_KEY_PASSPHRASE_FILE';
/** Name of the systemd credential. */
const CREDENTIAL = 'gridtokenx-keys';
const MAX_BYTES = 4_096;

/** Says where a passphrase may stand. */
export const PASSPHRASE_PLACES = `${VARIABLE}, keys.passphrase_file, or the systemd credential ${CREDENTIAL}`;

/**
 * Returns the sealer of the first passphrase found: the environment's file, the configuration's, then the systemd
 * credential. Null where none is given. Throws `OperatorError` for a file that is missing, readable by others, or empty.
 */
export function findSealer(
  configured: string | undefined,
  random: Random,
  env: Readonly<Record<string, string | undefined>> = process.env,
): KeySealer | null {
  const file = env[VARIABLE] || configured;
  if (file) {
    const words = { what: 'passphrase', missing: `write the passphrase into it, or change ${PASSPHRASE_PLACES}` };
    return sealerOf(readPrivateFile(file, words), file, random);
  }
  const folder = env.CREDENTIALS_DIRECTORY;
  if (!folder) return null;
  const credential = join(folder, CREDENTIAL);
  try {
    // The mode says nothing here: systemd gives the service its right by an access list, which shows as a group's.
    return sealerOf(readRegularFile(credential, MAX_BYTES), credential, random);
  } catch (error) {
    // The service has other credentials.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** Removes one line end: editors add it. */
function sealerOf(bytes: Uint8Array, source: string, random: Random): KeySealer {
  const text = Buffer.from(bytes)
    .toString('latin1')
    .replace(/\r?\n$/, '');
  if (text === '' || text.length > MAX_BYTES)
    throw new KeyError(`${source}: expected a passphrase of 1 to ${MAX_BYTES} bytes`);
  return new KeySealer(Buffer.from(text, 'latin1'), source, random);
}
