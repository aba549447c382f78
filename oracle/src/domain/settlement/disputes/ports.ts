import { NodeUnavailable, type SendNode, type SignedTransaction, type Stored } from '@gridtokenx/chain-sender';
import type { MeterId, Wh, Window } from '@gridtokenx/protocol';
import type { MeterRecord } from '../../ports.js';
import type { AttestedEvent, PageRead } from '../ports.js';

/** Lists the verdicts of the oracle program on a case. */
export const CaseVerdict = { open: 0, deviceConvicted: 1, attestorsConvicted: 2 } as const;

/** A slot's latest case. Totals are Wh since enrolment. */
export interface CaseRead {
  /** From 1; one more for every dispute of the slot. */
  readonly number: number;
  readonly verdict: number;
  /** Window of the chain's clock in which it was opened. */
  readonly openedWindow: Window;
  /** The slot as the dispute found it. */
  readonly slotWindow: Window;
  readonly slotExportWh: Wh;
  readonly slotImportWh: Wh;
}

/** A slot's meter and case, and the chain's clock, all of one moment. */
export interface SlotCase {
  /** Unix seconds. */
  readonly chainSeconds: number;
  /** Null where the record does not exist. */
  readonly meter: MeterRecord | null;
  /** The last case whose verdict the utility accepted. */
  readonly acceptedCase: number;
  readonly dispute: CaseRead | null;
}

/** The accounts of one slot have a form that nobody here knows: other slots can be read all the same. */
export class CaseUnreadable extends NodeUnavailable {
  override readonly name = 'CaseUnreadable';
}

/** Reads and writes the chain for disputes. Every method may throw `NodeUnavailable` and nothing else. */
export interface DisputeNode extends SendNode<AttestedEvent> {
  readPage(zone: number, page: number): Promise<PageRead>;
  readCase(zone: number, page: number, slot: number, meterId: MeterId): Promise<SlotCase>;
}

/** Where a slot is, and whose it is. */
export interface Place {
  readonly zone: number;
  readonly page: number;
  readonly slot: number;
  /** Hex. */
  readonly meterId: MeterId;
}

/** Makes and signs the transactions; anyone may send them. Throws `NodeUnavailable`. */
export interface DisputeBuilder {
  /** `message`: the 171 bytes that answer, signed by `key`. */
  answer(place: Place, key: Uint8Array, message: Uint8Array, nonce: number): Promise<SignedTransaction>;
  conclude(place: Place, nonce: number): Promise<SignedTransaction>;
  sync(place: Place, nonce: number): Promise<SignedTransaction>;
}

export type DisputeKind = 'answer' | 'conclude' | 'sync';

export interface NewDisputeIntent extends SignedTransaction, Place {
  readonly kind: DisputeKind;
  /** The case's number; 0 for `sync`. */
  readonly number: number;
}

export type DisputeIntent = NewDisputeIntent & Stored;

/** How an intent ended. */
export type DisputeEnd = 'landed' | 'failed' | 'expired';

/** Durable memory of what was sent. Synchronous; a method that returns has committed. May throw when the disk fails. */
export interface DisputeStore {
  /** A number that no intent of the store has had. */
  nonce(): number;
  add(intent: NewDisputeIntent, nowMs: number): DisputeIntent;
  /** The intent of the page whose outcome is not known yet; there is at most one. */
  open(zone: number, page: number): DisputeIntent | undefined;
  end(intent: DisputeIntent, end: DisputeEnd, error: string | null, nowMs: number): void;
}

export type CaseState =
  /** This oracle has the statement that answers. */
  | 'answering'
  /** Nothing in this ledger answers; another oracle's may. */
  | 'no answer here'
  /** The time is over: the verdict is recorded. */
  | 'overdue'
  /** The utility is to accept the verdict. */
  | 'decided'
  /** The utility has accepted it: the slot is freed. */
  | 'accepted';

/** A disputed slot as it was last looked at. */
export interface CaseView extends Place {
  readonly number: number;
  readonly state: CaseState;
  readonly verdict: number;
  /** Windows of the chain's clock that are left for an answer; 0 when the time is over. */
  readonly windowsLeft: number;
}
