import type { BlockhashState } from '@gridtokenx/chain-sender';
import { base58Encode } from '@gridtokenx/protocol';
import { VersionedTransaction } from '@solana/web3.js';
import type { ChainNode, Outcome, PageRead } from '#oracle/domain/settlement/ports.js';

/** A node that lands transactions at once, unless a test delays it. */
export class HeldNode implements ChainNode {
  readonly #node: ChainNode;
  /** Transactions in flight. */
  readonly held: Uint8Array[] = [];
  isHolding = false;
  /** Number of transactions that the page's version refused. */
  stale = 0;

  constructor(node: ChainNode) {
    this.#node = node;
  }

  async send(raw: Uint8Array): Promise<void> {
    if (this.isHolding) this.held.push(raw);
    else await this.land(raw);
  }

  /** Sends a transaction to the bank, which accepts each once. */
  async land(raw: Uint8Array): Promise<void> {
    const signature = base58Encode(VersionedTransaction.deserialize(raw).signatures[0] ?? new Uint8Array());
    if ((await this.#node.outcome(signature)).kind !== 'unknown') return;
    await this.#node.send(raw);
    const outcome = await this.#node.outcome(signature);
    if (outcome.kind === 'failed' && outcome.error === 'StaleVersion') this.stale++;
  }

  readPage(zone: number, page: number): Promise<PageRead> {
    return this.#node.readPage(zone, page);
  }
  outcome(signature: string): Promise<Outcome> {
    return this.#node.outcome(signature);
  }
  blockhashState(use: Parameters<ChainNode['blockhashState']>[0]): Promise<BlockhashState> {
    return this.#node.blockhashState(use);
  }
}
