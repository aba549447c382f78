import { decodeLedgerPage, decodeMeterPage, parseChainError, pda } from '@gridtokenx/chain-client';
import { type AccountInfo, type Commitment, type Connection, SendTransactionError } from '@solana/web3.js';
import {
  type BlockhashState,
  type ChainNode,
  NodeUnavailable,
  type Outcome,
  type PageRead,
} from '../../domain/settlement/ports.js';
import { made } from './accounts.js';
import { attestedEvent } from './events.js';

/** A node that has not answered by then is away. */
const TIMEOUT_MS = 10_000;

/** Turns whatever a request ends with into the one error that callers know. */
export async function ask<T>(what: string, request: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer in ${TIMEOUT_MS} ms`)), TIMEOUT_MS);
  });
  try {
    return await Promise.race([request, late]);
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message.split('\n')[0] : String(cause);
    throw new NodeUnavailable(`${what}: ${detail}`, { cause });
  } finally {
    clearTimeout(timer);
  }
}

type Account = AccountInfo<Buffer> | null | undefined;

/** The chain over JSON-RPC. Signatures are polled: a fast node's notification can be missed. */
export class RpcNode implements ChainNode {
  readonly #connection: Connection;
  readonly #commitment: 'confirmed' | 'finalized';

  constructor(connection: Connection, commitment: 'confirmed' | 'finalized') {
    this.#connection = connection;
    this.#commitment = commitment;
  }

  async readPage(zone: number, page: number): Promise<PageRead> {
    const addresses = [pda.meterPage(zone, page), pda.ledgerPage(zone, page)];
    const { context, value } = await ask(
      'reading a page',
      this.#connection.getMultipleAccountsInfoAndContext(addresses, this.#commitment),
    );
    const decode = <P>(found: Account, decoder: (raw: AccountInfo<Buffer>) => P): P | null => {
      const account = made(found);
      if (!account) return null;
      try {
        return decoder(account);
      } catch (cause) {
        throw new NodeUnavailable(`page ${zone}/${page}: ${String(cause)}`, { cause });
      }
    };
    return {
      contextSlot: context.slot,
      page: decode(value[0], decodeMeterPage),
      ledger: decode(value[1], decodeLedgerPage),
    };
  }

  async send(raw: Uint8Array): Promise<void> {
    const request = this.#connection.sendRawTransaction(raw, { skipPreflight: true, maxRetries: 0 });
    try {
      await ask('sending', request);
    } catch (error) {
      // The node refused these bytes (seen already, blockhash gone, ...): the signature's status says what became of them.
      const cause = error instanceof NodeUnavailable ? error.cause : error;
      if (cause instanceof SendTransactionError) return;
      throw error;
    }
  }

  async outcome(signature: string): Promise<Outcome> {
    const { value } = await ask(
      'asking for a status',
      this.#connection.getSignatureStatuses([signature], { searchTransactionHistory: true }),
    );
    const status = value[0];
    if (!status) return { kind: 'unknown' };
    const isFinal = status.confirmationStatus === 'finalized';
    if (!isFinal && !(this.#commitment === 'confirmed' && status.confirmationStatus === 'confirmed')) {
      return { kind: 'seen' };
    }
    const found = await ask(
      'fetching a transaction',
      this.#connection.getTransaction(signature, { commitment: this.#commitment, maxSupportedTransactionVersion: 0 }),
    );
    const logs = found?.meta?.logMessages ?? [];
    if (status.err) {
      const named = parseChainError(status.err) ?? parseChainError(logs);
      const error = named ? `${named.name} (${named.code})` : JSON.stringify(status.err);
      return { kind: 'failed', slot: status.slot, error };
    }
    return { kind: 'landed', slot: status.slot, event: attestedEvent(logs) };
  }

  async blockhashState(intent: { blockhash: string; lastValidHeight: number }): Promise<BlockhashState> {
    const commitment: Commitment = this.#commitment;
    const height = await ask('asking for the height', this.#connection.getBlockHeight(commitment));
    if (height > intent.lastValidHeight) return 'expired';
    const { value } = await ask(
      'asking for a blockhash',
      this.#connection.isBlockhashValid(intent.blockhash, { commitment: 'processed' }),
    );
    return value ? 'valid' : 'unfamiliar';
  }
}
