import { parseChainError } from '@gridtokenx/chain-client';
import { type Clock, sleep } from '@gridtokenx/runtime/core';
import { systemClock } from '@gridtokenx/runtime/node';
import {
  ComputeBudgetProgram,
  type Connection,
  type Keypair,
  Transaction,
  type TransactionInstruction,
} from '@solana/web3.js';

const POLL_MS = 50;
const TIMEOUT_MS = 30_000;

/**
 * Sends one set-up transaction and waits until it is confirmed. Set-up steps first check their own effect, so a second
 * send after an unknown outcome is safe. Throws with the program's own error.
 */
export async function sendAndConfirm(
  connection: Connection,
  payer: Keypair,
  signers: readonly Keypair[],
  instructions: readonly TransactionInstruction[],
  clock: Clock = systemClock,
): Promise<string> {
  const { blockhash, lastValidBlockHeight } = await connection.getLatestBlockhash('confirmed');
  const transaction = new Transaction({ feePayer: payer.publicKey, blockhash, lastValidBlockHeight });
  transaction.add(ComputeBudgetProgram.setComputeUnitLimit({ units: 600_000 }), ...instructions);
  transaction.sign(payer, ...signers.filter((key) => !key.publicKey.equals(payer.publicKey)));
  const signature = await connection.sendRawTransaction(transaction.serialize(), { skipPreflight: true });
  // confirmTransaction can miss the notification of a fast node, so this polls statuses.
  for (const started = clock.monotonicMs(); clock.monotonicMs() - started < TIMEOUT_MS; ) {
    const status = (await connection.getSignatureStatuses([signature])).value[0];
    if (status?.err) throw await failure(connection, signature, status.err);
    if (status?.confirmationStatus === 'confirmed' || status?.confirmationStatus === 'finalized') return signature;
    await sleep(clock, POLL_MS);
  }
  throw new Error(`transaction ${signature} was not confirmed in ${TIMEOUT_MS / 1000} s`);
}

async function failure(connection: Connection, signature: string, err: unknown): Promise<Error> {
  const found = await connection.getTransaction(signature, {
    commitment: 'confirmed',
    maxSupportedTransactionVersion: 0,
  });
  const logs = found?.meta?.logMessages ?? [];
  const known = parseChainError(err) ?? parseChainError(logs);
  const text = known ? `${known.name} (${known.code}): ${known.message}` : JSON.stringify(err);
  return new Error(`transaction ${signature} failed: ${text}\n${logs.slice(-6).join('\n')}`);
}
