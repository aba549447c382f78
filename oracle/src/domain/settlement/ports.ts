import {
  NodeUnavailable,
  type SendNode,
  type Outcome as SendOutcome,
  type SignedTransaction,
  type Stored,
} from '@gridtokenx/chain-sender';
import type { MeterId, PublicKeyText, Wh, Window, WindowOrNone } from '@gridtokenx/protocol';
import type { ChainTotals, Settlement } from '../live/ports.js';
import type { SkipReason } from './plan.js';
/**
 * Declares settlement's view of the chain, of its own store and of its co-signers. The domain decides what is sent and
 * when; these interfaces hide how a transaction is built and carried.
 */

/** Bits of a slot's flags (oracle program). */
export const SlotFlag = { active: 1, disputed: 2, extra: 4, moved: 8, closed: 16, suspended: 32 } as const;

/** One meter's slot of a meter page. Energies are Wh since enrolment, caps Wh per window. */
export interface SlotRead {
  readonly exportWh: Wh;
  readonly importWh: Wh;
  readonly window: Window;
  readonly exportCapWh: number;
  readonly importCapWh: number;
  readonly flags: number;
  readonly attestors: number;
  readonly epoch: number;
}

/** A meter page as it was read: everything that is built on a page is built on one read of it. */
export interface MeterPageRead {
  readonly version: bigint;
  readonly moves: number;
  readonly highestWindow: Window;
  readonly lastRoot: Uint8Array;
  readonly history: Uint8Array;
  readonly page: number;
  readonly zone: number;
  readonly bump: number;
  readonly format: number;
  readonly slots: readonly SlotRead[];
}

/** Holds the energy-token program's record of a slot. */
export interface LedgerSlotRead {
  readonly mintedWh: Wh;
  readonly destination: 'pool' | 'wallet';
}

/** Both accounts of a page at one slot of the chain; null where the account does not exist. */
export interface PageRead {
  readonly chainSlot: number;
  readonly page: MeterPageRead | null;
  readonly ledger: { readonly slots: readonly LedgerSlotRead[] } | null;
}

/** The event of an attest_page. */
export interface AttestedEvent {
  readonly version: bigint;
  readonly history: Uint8Array;
  readonly window: Window;
  /** Slots that were set and did not take their total. */
  readonly skipped: ReadonlySet<number>;
}

/** States the node's knowledge of a signature. */
export type Outcome = SendOutcome<AttestedEvent>;

/** Too few attestors sign with us now: wait, or let another lead. The message says who and why. */
export class InsufficientSignatures extends NodeUnavailable {
  override readonly name = 'InsufficientSignatures';
}

/** A home that mints to its wallet has no token account: its energy stays due until the owner makes one. */
export class TokenAccountMissing extends Error {
  override readonly name = 'TokenAccountMissing';

  constructor() {
    super('the owner has no GXT token account: the owner creates it, and pays for it');
  }
}

/** A co-signer showed statements that this ledger did not have and has now: plan anew. */
export class ReplanRequired extends NodeUnavailable {
  override readonly name = 'ReplanRequired';
}

/** A node of the chain. Every method may throw `NodeUnavailable` and nothing else. */
export interface ChainNode extends SendNode<AttestedEvent> {
  readPage(zone: number, page: number): Promise<PageRead>;
}

export type IntentKind = 'attest' | 'mint_page' | 'mint_meter';

/** Both totals of a slot, Wh since enrolment. */
export interface Totals {
  readonly exportWh: Wh;
  readonly importWh: Wh;
}

/** One meter in an intent, with the slot as it was read. */
export interface IntentItem extends Totals {
  readonly meterId: MeterId;
  readonly slot: number;
  readonly before: SlotRead;
}

/** Describes a transaction that is about to be sent; stored first. */
export interface NewIntent extends SignedTransaction {
  readonly kind: IntentKind;
  readonly zone: number;
  readonly page: number;
  /** The page as it was read. */
  readonly version: bigint;
  readonly moves: number;
  readonly history: Uint8Array;
  /** The page's history after this attest_page and nothing else; null for a mint. */
  readonly expectedHistory: Uint8Array | null;
  /** Null for a mint. */
  readonly window: Window | null;
  readonly items: readonly IntentItem[];
}

export type Intent = NewIntent & Stored;

/** One statement that goes into an attest_page. */
export interface AttestEntry extends IntentItem {
  /** The 96 signed bytes. */
  readonly payload: Uint8Array;
}

/**
 * Makes and signs transactions; asks co-signers where the zone wants more than one attestor. Two transactions with
 * different nonces have different signatures, whatever else they share.
 */
export interface TransactionBuilder {
  /**
   * attest_page on `read` for as many of `entries` (rising slots) as fit one transaction; the others come with the next
   * read. Throws `NodeUnavailable`; of these `InsufficientSignatures` and `ReplanRequired` are no fault of the node.
   */
  attest(
    read: MeterPageRead,
    window: Window,
    entries: readonly AttestEntry[],
    nonce: number,
  ): Promise<SignedTransaction & { taken: readonly AttestEntry[]; expectedHistory: Uint8Array }>;
  mintPage(zone: number, page: number, nonce: number): Promise<SignedTransaction>;
  /**
   * Throws `TokenAccountMissing`: whoever closes a token account gets its rent, so no service makes one. Throws
   * `NodeUnavailable`.
   */
  mintMeter(
    zone: number,
    page: number,
    meterId: MeterId,
    owner: PublicKeyText,
    nonce: number,
  ): Promise<SignedTransaction>;
}

/** Whose turn it is to send for a page, among several attestors. */
export interface LeaderTurn {
  /**
   * 0 when it is ours, else ms until it is worth asking again. `what` names the work; `turn` is its window, or the number
   * of its case. Throws `NodeUnavailable`.
   */
  wait(zone: number, page: number, what: string, turn: number): Promise<number>;
}

/** Reports the effect of an attest_page that landed. */
export interface AttestResult {
  readonly slot: number;
  readonly version: bigint;
  readonly history: Uint8Array;
  readonly accepted: readonly IntentItem[];
  readonly skipped: readonly { readonly item: IntentItem; readonly reason: SkipReason }[];
}

/** The newest transaction on the archive's line for a page. */
export interface ArchiveHead {
  readonly version: bigint;
  readonly moves: number;
  readonly history: Uint8Array;
}

/** Holds a slot's totals after its last attest_page; Wh since enrolment. */
export interface AttestedTotals extends Totals {
  readonly window: Window;
}

/** Durable memory of settlement. Synchronous; a method that returns has committed. May throw when the disk fails. */
export interface SettlementStore {
  /** A number that no intent of the store has had. */
  nonce(): number;
  add(intent: NewIntent, nowMs: number): Intent;
  /** The intent of the page whose outcome is not known yet; there is at most one. */
  open(zone: number, page: number): Intent | undefined;
  attested(intent: Intent, result: AttestResult, nowMs: number): void;
  /** A mint landed at `slot`. */
  minted(intent: Intent, slot: number, nowMs: number): void;
  failed(intent: Intent, slot: number, error: string, nowMs: number): void;
  /** Can never land any more and did not. */
  expired(intent: Intent, nowMs: number): void;
  /** The page went on and nothing tells whether this was part of it; harmless, because totals are absolute. */
  superseded(intent: Intent, nowMs: number): void;

  head(zone: number, page: number): ArchiveHead | undefined;
  /** The newest attestation of the meter on the page that is not undone. */
  lastAttested(zone: number, page: number, meterId: MeterId): AttestedTotals | undefined;
  /** Something else than our attest_page changed the page (an activation, another attestor). */
  observed(zone: number, page: number, head: ArchiveHead): void;
  /**
   * The chain came back older: what was archived above `version`, or at `version` with another history, is marked undone
   * and its settlements too. Returns the signatures, oldest first. At `version` itself what the page `covers` stays: a
   * dispute gives the page another history and takes nothing from it.
   */
  undoAfter(
    zone: number,
    page: number,
    read: ArchiveHead,
    nowMs: number,
    covers?: (meterId: MeterId, attested: AttestedTotals) => boolean,
  ): string[];
  /** True from `undoAfter` until `caughtUp`. */
  isCatchingUp(zone: number, page: number): boolean;
  caughtUp(zone: number, page: number): void;

  /** Newest window of the meter that is not tried again, because the chain skipped it or it cannot be built. */
  skippedThrough(meterId: MeterId): WindowOrNone;
  skip(meterId: MeterId, window: Window, reason: string, nowMs: number): void;
  /**
   * Closes attested windows whose export is minted now. `minted` is the cursor by meter. `mint` is the signature that did
   * it, where it was ours.
   */
  settle(
    zone: number,
    page: number,
    minted: ReadonlyMap<MeterId, Wh>,
    mint: string | null,
    nowMs: number,
    closedAtMs: (window: Window) => number,
  ): number;
  /** Settled windows whose mint the chain no longer has are opened again. Returns how many. */
  reopenUnminted(zone: number, page: number, minted: ReadonlyMap<MeterId, Wh>): number;
}

/** A statement that is not tried again, and why. */
export interface Skip {
  readonly meterId: MeterId;
  readonly window: Window;
  /** Plain words. */
  readonly reason: string;
}

/** Reads settlements for people. Throws when the disk fails. */
export interface SettlementArchive {
  /** Settlements with ids above `id`, rising. */
  after(id: number, limit: number): Settlement[];
  /** Returns the slot's totals at its last attestation; undefined for a meter that was never attested. */
  lastTotals(meterId: MeterId): Omit<ChainTotals, 'transactions'> | undefined;
  /** Signatures of the newest transactions that moved the meter, newest last. */
  transactions(meterId: MeterId, limit: number): string[];
  /** The newest first. */
  skips(limit: number): Skip[];
  /** Transactions that a chain that came back older has lost. */
  undoneCount(): number;
}
