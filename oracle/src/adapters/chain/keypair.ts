import { OperatorError } from '@gridtokenx/runtime/core';
import { readPrivateFile } from '@gridtokenx/runtime/node';
import { Keypair } from '@solana/web3.js';

/**
 * The attestor's key pair from a Solana JSON array of 64 bytes, which its owner alone may read. Throws an `Error` that
 * names the file and says what to do; nothing of what is in the file stands in it.
 */
export function readKeypair(path: string): Keypair {
  const advice = 'correct attestor_key_file';
  const text = Buffer.from(readPrivateFile(path, { what: 'attestor key', missing: advice })).toString('utf8');
  try {
    const bytes: unknown = JSON.parse(text);
    if (Array.isArray(bytes) && bytes.length === 64) return Keypair.fromSecretKey(Uint8Array.from(bytes));
  } catch {
    // The library's words would quote what it read.
  }
  const problem = 'attestor key: not a key pair as a JSON array of 64 bytes';
  throw new OperatorError({ code: 'attestor-key', file: path, problem, advice });
}
