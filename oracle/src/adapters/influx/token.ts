import { statSync } from 'node:fs';
import { OperatorError } from '@gridtokenx/runtime/core';
import { isReadableByOthers, readableByOthers, readRegularFile } from '@gridtokenx/runtime/node';

const WHAT = 'InfluxDB token';
/** A token has some hundred bytes at most, and goes into a header of each request. */
const MAX_BYTES = 4_096;

/**
 * The token in a file, read again when the file changed, so that a new token needs no restart. Throws `OperatorError`,
 * never with the token in it.
 */
export function tokenFile(path: string): () => string {
  let version = '';
  let token = '';
  return () => {
    let found: string;
    try {
      const { mtimeMs, ino, size, mode } = statSync(path);
      if (isReadableByOthers(mode)) throw readableByOthers(path, mode, WHAT);
      found = `${mtimeMs}/${ino}/${size}`;
      if (found === version) return token;
      token = readRegularFile(path, MAX_BYTES).toString('utf8').trim();
    } catch (cause) {
      if (cause instanceof OperatorError) throw cause;
      const problem = `the ${WHAT} cannot be used: ${(cause as Error).message}`;
      throw new OperatorError({ code: 'token-file', file: path, problem, advice: 'correct token_file' }, { cause });
    }
    // Anything else could not be sent in a header, and would come back in the error that says so.
    if (!/^[\x21-\x7e]+$/.test(token)) {
      const problem = `not an ${WHAT} (one line, no spaces)`;
      throw new OperatorError({ code: 'token-file', file: path, problem, advice: 'write it again' });
    }
    version = found;
    return token;
  };
}
