import { OperatorError } from '@gridtokenx/runtime/core';
import { createPrivateFile, readPrivateFile } from '@gridtokenx/runtime/node';
import { Keypair } from '@solana/web3.js';
import type { Paths } from './layout.js';

const WORDS = { what: 'key', missing: 'restore it from a backup' } as const;

/**
 * Returns the key pair of a party of the demonstration (Solana's JSON array of 64 bytes, for its owner alone), made on
 * first use. In the field each party holds its own key; here one person plays all parties. Throws `OperatorError`.
 */
export function partyKey(paths: Paths, name: string): Keypair {
  const file = paths.key(name);
  createPrivateFile(file, Buffer.from(`${JSON.stringify([...Keypair.generate().secretKey])}\n`));
  const text = Buffer.from(readPrivateFile(file, WORDS)).toString('utf8');
  try {
    return Keypair.fromSecretKey(Uint8Array.from(JSON.parse(text) as number[]));
  } catch {
    // The library's reason may quote the file, so it is not repeated.
    const problem = 'is not a key file (64 numbers in JSON)';
    throw new OperatorError({ code: 'damaged-file', file, problem, advice: 'restore it from a backup' });
  }
}
