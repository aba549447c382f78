import { parseChainError } from '@gridtokenx/chain-client';
import { type Connection, SendTransactionError } from '@solana/web3.js';
import { type BlockhashState, type BlockhashUse, NodeUnavailable, type Outcome, type SendNode } from './ports.js';

/** A node that has not answered by then is away. */
const TIMEOUT_MS = 10_000;

/** Turns whatever a request ends with into the one error that callers know. Throws `NodeUnavailable`. */
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

/** Hands transactions to a node over JSON-RPC. Signatures are polled: a fast node's notification can be missed. */
export class RpcSendNode<Event> implements SendNode<Event> {
  readonly #connection: Connection;
  readonly #commitment: 'confirmed' | 'finalized';
  readonly #eventOf: (logs: readonly string[]) => Event | null;

  /** `eventOf`: what the log lines of a transaction that landed tell. */
  constructor(
    connection: Connection,
    commitment: 'confirmed' | 'finalized',
    eventOf: (logs: readonly string[]) => Event | null,
  ) {
    this.#connection = connection;
    this.#commitment = commitment;
    this.#eventOf = eventOf;
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

  async outcome(signature: string): Promise<Outcome<Event>> {
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
    return { kind: 'landed', slot: status.slot, event: this.#eventOf(logs) };
  }

  async blockhashState({ blockhash, lastValidHeight }: BlockhashUse): Promise<BlockhashState> {
    const height = await ask('asking for the height', this.#connection.getBlockHeight(this.#commitment));
    if (height > lastValidHeight) return 'expired';
    const { value } = await ask(
      'asking for a blockhash',
      this.#connection.isBlockhashValid(blockhash, { commitment: 'processed' }),
    );
    return value ? 'valid' : 'unfamiliar';
  }
}
