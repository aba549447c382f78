/** Declares the sender's view of the chain, of its store and of its work. */

/** A signed transaction, ready to be stored and then sent. */
export interface SignedTransaction {
  readonly raw: Uint8Array;
  /** Base58; no other transaction has the same. */
  readonly signature: string;
  readonly blockhash: string;
  /** Above this block height it can land no more. */
  readonly lastValidHeight: number;
}

/** A transaction that is stored, and whose outcome is not known yet. */
export interface Stored extends SignedTransaction {
  readonly id: number;
  /** Real milliseconds since 1970. */
  readonly createdAtMs: number;
}

/** States the node's knowledge of a signature. `unknown` is a state to resolve, never a reason to send anew. */
export type Outcome<Event> =
  | { readonly kind: 'unknown' }
  /** Taken, and not confirmed yet. */
  | { readonly kind: 'seen' }
  /** `event`: null where the node has forgotten the transaction's log, or it has none. */
  | { readonly kind: 'landed'; readonly slot: number; readonly event: Event | null }
  | { readonly kind: 'failed'; readonly slot: number; readonly error: string };

/** Can a transaction with this blockhash still land? `unfamiliar`: the node does not know the blockhash, or no longer. */
export type BlockhashState = 'valid' | 'expired' | 'unfamiliar';

/** A blockhash, and the height up to which it is good. */
export type BlockhashUse = Pick<SignedTransaction, 'blockhash' | 'lastValidHeight'>;

/** The node cannot be reached or does not answer sensibly: wait and ask again. */
export class NodeUnavailable extends Error {
  override readonly name: string = 'NodeUnavailable';
}

/** A node of the chain. Every method may throw `NodeUnavailable` and nothing else. */
export interface SendNode<Event> {
  /** Hands the signed bytes over; returning says nothing about their fate. */
  send(raw: Uint8Array): Promise<void>;
  outcome(signature: string): Promise<Outcome<Event>>;
  blockhashState(use: BlockhashUse): Promise<BlockhashState>;
}

/**
 * Durable memory of one settler of transactions, at most one of which is open. Synchronous; a method that returns has
 * committed. Every method may throw when the disk fails.
 */
export interface SettlerStore<New extends SignedTransaction, Kept extends New & Stored> {
  /** A number that no intent of the store has had. */
  nonce(): number;
  /** The intent whose outcome is not known yet. */
  open(): Kept | undefined;
  add(intent: New, nowMs: number): Kept;
}

/** The next thing to do on a settler: send a transaction that is built, or what a step comes to without one. */
export type Next<New, Step> = { readonly send: New } | { readonly step: Step };

/**
 * Builds transactions and interprets their outcomes. Each method stores its outcome before it returns: then the intent is
 * closed, and the next one is built from a fresh read. After a crash in between the sender reports the same outcome again.
 */
export interface Work<New extends SignedTransaction, Kept extends New & Stored, Event, Step> {
  /** Builds what is due from a fresh read of the chain. Two transactions with different nonces have different signatures. */
  next(nonce: () => number): Promise<Next<New, Step>>;
  /** It is stored, and about to be sent. */
  stored(intent: Kept): void;
  landed(intent: Kept, slot: number, event: Event | null): Promise<Step>;
  /** It landed and did nothing. */
  failed(intent: Kept, slot: number, error: string): Step;
  /** It can land no more, and the node does not know it: the chain's state tells what became of it. */
  lapsed(intent: Kept): Promise<Step>;
}
