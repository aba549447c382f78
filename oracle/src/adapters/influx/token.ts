import { statSync } from 'node:fs';
import { OperatorError } from '@gridtokenx/runtime/core';
import { isReadableByOthers, readableByOthers, readRegularFile } from '@gridtokenx/runtime/node';

const WHAT = 'InfluxDB token';
/** A token has a few hundred bytes at most, and each request sends it in a header. */
const MAX_BYTES = 4_096;

/**
 * Returns the token of a file and reads the file again after a change, so that a new token needs no restart. Throws
 * `OperatorError`, which never contains the token.
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
    // A header cannot carry any other character, and the error about it would contain the token.
    if (!/^[\x21-\x7e]+$/.test(token)) {
      const problem = `not an ${WHAT} (one line, no spaces)`;
      throw new OperatorError({ code: 'token-file', file: path, problem, advice: 'write it again' });
    }
    version = found;
    return token;
  };
}
