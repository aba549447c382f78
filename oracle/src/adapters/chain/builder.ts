import {
  buildAttestPage,
  foldHistory,
  instructions,
  MAX_TRANSACTION_BYTES,
  pda,
  planAttest,
} from '@gridtokenx/chain-client';
import type { SignedTransaction } from '@gridtokenx/chain-sender';
import { NodeUnavailable } from '@gridtokenx/chain-sender';
import { base58Encode, fromHex, type MeterId, type PublicKeyText, type Window } from '@gridtokenx/protocol';
import {
  ComputeBudgetProgram,
  type Keypair,
  PublicKey,
  type TransactionInstruction,
  TransactionMessage,
  VersionedTransaction,
} from '@solana/web3.js';
import type { AttestEntry, MeterPageRead, TransactionBuilder } from '../../domain/settlement/ports.js';
import { InsufficientSignatures, TokenAccountMissing } from '../../domain/settlement/ports.js';

/** Shows co-signers the sources of a transaction. Each signs only bytes that it would have sent itself. */
export interface CosignRequest {
  readonly message: Uint8Array;
  readonly zone: number;
  readonly page: number;
  readonly version: bigint;
  readonly window: Window;
  readonly entries: readonly AttestEntry[];
}

/** The other attestors of a zone. With one attestor there are none. */
export interface Cosigner {
  /** Keys that will sign beside our own, and the places of all signers in the zone's set. Throws `InsufficientSignatures`. */
  attestors(zone: number): Promise<{ readonly others: readonly PublicKey[]; readonly bitmap: number }>;
  /**
   * Signatures over `message` by base58 key, one for each of `others`. Throws `InsufficientSignatures` when one is missing, and
   * `ReplanRequired` when the page is to be planned anew.
   */
  sign(request: CosignRequest): Promise<ReadonlyMap<PublicKeyText, Uint8Array>>;
}

const DISCRIMINATOR_BYTES = 8;
/** A zone has at most seven attestors, so six others. */
const MAX_VARIANTS = 7;
const MINT_PAGE_UNITS = 120_000;
const MINT_METER_UNITS = 120_000;
/**
 * Above what attest_page takes, so that a page never fails for units: after an outage a meter's two totals are long, and it
 * takes about 240. Units have no price, so a high limit costs nothing.
 */
const ATTEST_UNITS = 30_000;
const ATTEST_UNITS_PER_METER = 320;
/** The chain's own limit for one transaction. */
const MAX_UNITS = 1_400_000;

/** So many transactions under one blockhash have limits of their own. */
const NONCES = 4_096;

/**
 * The compute-unit limit, different for each nonce: two mints of one page under the same blockhash would otherwise be the
 * same bytes, and the chain would take the second for a copy of the first.
 */
export function limit(units: number, nonce: number): TransactionInstruction {
  return ComputeBudgetProgram.setComputeUnitLimit({ units: Math.min(units, MAX_UNITS - NONCES) + (nonce % NONCES) });
}

/** A recent blockhash, and the last height at which a transaction with it can land. Throws `NodeUnavailable`. */
export type LatestBlockhash = () => Promise<{ readonly blockhash: string; readonly lastValidBlockHeight: number }>;

/** Tells whether an account exists. Throws `NodeUnavailable`. */
export type Exists = (address: PublicKey) => Promise<boolean>;

/** v0 transactions, paid for and signed by the attestor. */
export class AttestorBuilder implements TransactionBuilder {
  readonly #latestBlockhash: LatestBlockhash;
  readonly #attestor: Keypair;
  readonly #cosigner: Cosigner;
  readonly #exists: Exists;

  constructor(latestBlockhash: LatestBlockhash, attestor: Keypair, cosigner: Cosigner, exists: Exists) {
    this.#latestBlockhash = latestBlockhash;
    this.#attestor = attestor;
    this.#cosigner = cosigner;
    this.#exists = exists;
  }

  async attest(read: MeterPageRead, window: Window, entries: readonly AttestEntry[], nonce: number) {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#attest(read, window, entries, nonce);
      } catch (error) {
        // Who did not sign is not chosen again: the others go on without them.
        if (!(error instanceof InsufficientSignatures) || attempt >= MAX_VARIANTS) throw error;
      }
    }
  }

  async #attest(read: MeterPageRead, window: Window, entries: readonly AttestEntry[], nonce: number) {
    const { zone, page } = read;
    const { others, bitmap } = await this.#cosigner.attestors(zone);
    const attestors = [this.#attestor.publicKey, ...others];
    const args = { zone, page, read, window, items: entries, attestors };
    const [group = []] = planAttest({ ...args, payer: this.#attestor.publicKey });
    const slots = new Set(group.map((item) => item.slot));
    const taken = entries.filter((entry) => slots.has(entry.slot));
    const instruction = buildAttestPage({ ...args, items: taken });
    const signed = await this.#sign(
      [limit(ATTEST_UNITS + ATTEST_UNITS_PER_METER * taken.length, nonce), instruction],
      (message) => this.#cosigner.sign({ message, zone, page, version: read.version, window, entries: taken }),
    );
    const tag = instruction.data.subarray(0, DISCRIMINATOR_BYTES);
    const expectedHistory = foldHistory(read.history, tag, bitmap, instruction.data.subarray(DISCRIMINATOR_BYTES));
    return { ...signed, taken, expectedHistory };
  }

  mintPage(zone: number, page: number, nonce: number): Promise<SignedTransaction> {
    return this.#sign([limit(MINT_PAGE_UNITS, nonce), instructions.mintPage({ zone, page })]);
  }

  async mintMeter(
    zone: number,
    page: number,
    meterId: MeterId,
    owner: PublicKeyText,
    nonce: number,
  ): Promise<SignedTransaction> {
    const wallet = new PublicKey(owner);
    if (!(await this.#exists(pda.ownerTokenAccount(wallet)))) throw new TokenAccountMissing();
    return this.#sign([
      limit(MINT_METER_UNITS, nonce),
      instructions.mintMeter({ meterId: fromHex(meterId), owner: wallet, zone, page }),
    ]);
  }

  async #sign(
    list: TransactionInstruction[],
    cosign?: (message: Uint8Array) => Promise<ReadonlyMap<PublicKeyText, Uint8Array>>,
  ): Promise<SignedTransaction> {
    const { blockhash, lastValidBlockHeight } = await this.#latestBlockhash();
    const message = new TransactionMessage({
      payerKey: this.#attestor.publicKey,
      recentBlockhash: blockhash,
      instructions: list,
    }).compileToV0Message();
    const transaction = new VersionedTransaction(message);
    const others = (await cosign?.(message.serialize())) ?? [];
    transaction.sign([this.#attestor]);
    for (const [key, signature] of others) transaction.addSignature(new PublicKey(key), signature);
    const raw = transaction.serialize();
    const [first] = transaction.signatures;
    if (!first || raw.length > MAX_TRANSACTION_BYTES) throw new RangeError(`transaction of ${raw.length} bytes`);
    return { raw, signature: base58Encode(first), blockhash, lastValidHeight: lastValidBlockHeight };
  }
}

/** One attestor: nobody else signs. The place in the zone's set is read from the chain. */
export function singleAttestor(
  attestor: PublicKey,
  zoneAttestors: (zone: number) => Promise<readonly PublicKey[]>,
): Cosigner {
  return {
    async attestors(zone) {
      const place = (await zoneAttestors(zone)).findIndex((key) => key.equals(attestor));
      if (place < 0) throw new NodeUnavailable(`${attestor.toBase58()} is no attestor of zone ${zone}`);
      return { others: [], bitmap: 1 << place };
    },
    sign: async () => new Map(),
  };
}
