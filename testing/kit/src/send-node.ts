import {
  type BlockhashState,
  type BlockhashUse,
  NodeUnavailable,
  type Outcome,
  type SendNode,
  type SignedTransaction,
} from '@gridtokenx/chain-sender';

/** A transaction of the model chain: adds one to the count of its order each time it lands. */
export interface ModelTransaction extends SignedTransaction {
  readonly order: number;
}

/** Number of blocks for which a blockhash is valid. */
const VALID_BLOCKS = 150;

/**
 * A chain and its node in memory, with the rules that a sender meets. A signature counts once, and only while its
 * blockhash is valid. A sent transaction may be lost or land later. The node may be away, and may forget signatures.
 */
export class ModelSendNode implements SendNode<null> {
  #height = 1_000;
  readonly #seen = new Map<string, { raw: Uint8Array; status: 'waiting' | 'landed' | 'failed'; slot: number }>();
  #forgotten = new Set<string>();
  readonly #hashes = new Map<string, number>();
  /** Effects by order; 1 means exactly once. */
  readonly effects = new Map<number, number>();
  /** Bytes that senders sent, in order. */
  readonly sent: Uint8Array[] = [];
  isAway = false;
  /** True while sent transactions never arrive. */
  isLosing = false;
  /** True while transactions land without an effect. */
  isFailing = false;

  /** Signs a transaction for an order under the newest blockhash. */
  build(order: number, nonce: number): ModelTransaction {
    const blockhash = `b${this.#height}`;
    this.#hashes.set(blockhash, this.#height);
    const signature = `${order}/${nonce}/${blockhash}`;
    const raw = new TextEncoder().encode(signature);
    return { order, raw, signature, blockhash, lastValidHeight: this.#height + VALID_BLOCKS };
  }

  /** Lets blocks pass; pending transactions land in the first of them. */
  pass(blocks: number): void {
    this.#height++;
    for (const [signature, one] of this.#seen) if (one.status === 'waiting') this.#land(signature, one);
    this.#height += blocks - 1;
  }

  /** Expires all earlier blockhashes; pending transactions do not land. */
  expire(): void {
    for (const [signature, one] of this.#seen) if (one.status === 'waiting') this.#seen.delete(signature);
    this.#height += VALID_BLOCKS + 1;
  }

  /**
   * Simulates a restarted node: it knows no earlier signature and no earlier blockhash. Landed transactions stay
   * landed.
   */
  forget(): void {
    this.#forgotten = new Set(this.#seen.keys());
    this.#hashes.clear();
  }

  async send(raw: Uint8Array): Promise<void> {
    this.#answer();
    this.sent.push(raw);
    const signature = new TextDecoder().decode(raw);
    const [, , blockhash = ''] = signature.split('/');
    const isGood = this.#height <= Number(blockhash.slice(1)) + VALID_BLOCKS;
    if (this.isLosing || !isGood || this.#seen.has(signature)) return;
    this.#seen.set(signature, { raw, status: 'waiting', slot: 0 });
  }

  async outcome(signature: string): Promise<Outcome<null>> {
    this.#answer();
    const found = this.#forgotten.has(signature) ? undefined : this.#seen.get(signature);
    if (!found) return { kind: 'unknown' };
    if (found.status === 'waiting') return { kind: 'seen' };
    if (found.status === 'failed') return { kind: 'failed', slot: found.slot, error: 'refused' };
    return { kind: 'landed', slot: found.slot, event: null };
  }

  async blockhashState({ blockhash, lastValidHeight }: BlockhashUse): Promise<BlockhashState> {
    this.#answer();
    if (this.#height > lastValidHeight) return 'expired';
    return this.#hashes.has(blockhash) ? 'valid' : 'unfamiliar';
  }

  #answer(): void {
    if (this.isAway) throw new NodeUnavailable('the node does not answer');
  }

  #land(signature: string, one: { raw: Uint8Array; status: 'waiting' | 'landed' | 'failed'; slot: number }): void {
    one.slot = this.#height;
    one.status = this.isFailing ? 'failed' : 'landed';
    if (this.isFailing) return;
    const order = Number(signature.split('/')[0]);
    this.effects.set(order, (this.effects.get(order) ?? 0) + 1);
  }
}
