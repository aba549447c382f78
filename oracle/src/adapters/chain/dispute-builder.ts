import { instructions } from '@gridtokenx/chain-client';
import type { SignedTransaction } from '@gridtokenx/chain-sender';
import { base58Encode, fromHex } from '@gridtokenx/protocol';
import { type Keypair, type TransactionInstruction, TransactionMessage, VersionedTransaction } from '@solana/web3.js';
import type { DisputeBuilder, Place } from '../../domain/settlement/disputes/ports.js';
import { type LatestBlockhash, limit } from './builder.js';

/** Above what each of the three instructions takes, the check of one signature included. */
const UNITS = 40_000;

/** v0 transactions, paid for and signed by the attestor; the programs ask for no signer. */
export class AttestorDisputeBuilder implements DisputeBuilder {
  readonly #latestBlockhash: LatestBlockhash;
  readonly #payer: Keypair;

  constructor(latestBlockhash: LatestBlockhash, payer: Keypair) {
    this.#latestBlockhash = latestBlockhash;
    this.#payer = payer;
  }

  answer(place: Place, key: Uint8Array, message: Uint8Array, nonce: number): Promise<SignedTransaction> {
    // The program looks at the instruction directly before its own.
    return this.#sign(nonce, [
      instructions.signedMessageVerification(key, message),
      instructions.answer({ ...place, meterId: fromHex(place.meterId) }),
    ]);
  }

  conclude(place: Place, nonce: number): Promise<SignedTransaction> {
    return this.#sign(nonce, [instructions.concludeDispute({ ...place, meterId: fromHex(place.meterId) })]);
  }

  sync(place: Place, nonce: number): Promise<SignedTransaction> {
    return this.#sign(nonce, [instructions.syncSlot({ ...place, meterId: fromHex(place.meterId) })]);
  }

  async #sign(nonce: number, list: TransactionInstruction[]): Promise<SignedTransaction> {
    const { blockhash, lastValidBlockHeight } = await this.#latestBlockhash();
    const message = new TransactionMessage({
      payerKey: this.#payer.publicKey,
      recentBlockhash: blockhash,
      instructions: [limit(UNITS, nonce), ...list],
    }).compileToV0Message();
    const transaction = new VersionedTransaction(message);
    transaction.sign([this.#payer]);
    const [signature] = transaction.signatures;
    if (!signature) throw new RangeError('a transaction without a signature');
    return {
      raw: transaction.serialize(),
      signature: base58Encode(signature),
      blockhash,
      lastValidHeight: lastValidBlockHeight,
    };
  }
}
