import { readFileSync, statSync } from 'node:fs';

/**
 * The token in a file, read again when the file changed, so that a new token needs no restart. Throws an `Error` that
 * says what to do, never with the token in it.
 */
export function tokenFile(path: string): () => string {
  let version = '';
  let token = '';
  return () => {
    let found: string;
    try {
      const { mtimeMs, ino, size, mode } = statSync(path);
      if ((mode & 0o077) !== 0) throw new Error('others may read it: chmod 600');
      found = `${mtimeMs}/${ino}/${size}`;
      if (found === version) return token;
      token = readFileSync(path, 'utf8').trim();
    } catch (cause) {
      throw new Error(`${path}: the InfluxDB token cannot be used: ${(cause as Error).message}`);
    }
    // Anything else could not be sent in a header, and would come back in the error that says so.
    if (!/^[\x21-\x7e]+$/.test(token)) throw new Error(`${path}: not an InfluxDB token (one line, no spaces)`);
    version = found;
    return token;
  };
}
