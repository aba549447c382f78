import { readFileSync, statSync } from 'node:fs';
import { OperatorError } from '@gridtokenx/runtime/core';
import { isReadableByOthers, readableByOthers } from '@gridtokenx/runtime/node';
import { Keypair } from '@solana/web3.js';

/**
 * The attestor's key pair from a Solana JSON array of 64 bytes, which its owner alone may read. Throws an `Error` that
 * names the file and says what to do.
 */
export function readKeypair(path: string): Keypair {
  try {
    const { mode } = statSync(path);
    if (isReadableByOthers(mode)) throw readableByOthers(path, mode, 'attestor key');
    const bytes: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (!Array.isArray(bytes) || bytes.length !== 64) throw new Error('not a JSON array of 64 bytes');
    return Keypair.fromSecretKey(Uint8Array.from(bytes));
  } catch (cause) {
    if (cause instanceof OperatorError) throw cause;
    const problem = `attestor key: ${cause instanceof Error ? cause.message : String(cause)}`;
    throw new OperatorError(
      { code: 'attestor-key', file: path, problem, advice: 'correct attestor_key_file' },
      { cause },
    );
  }
}
