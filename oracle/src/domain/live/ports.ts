import type { BaseUnits, MeterId, PublicKeyText, Reading, Statement, Wh, Window } from '@gridtokenx/protocol';
import type { MeterRecord, SeriesRow } from '../ports.js';
import type { VerdictCode } from '../verdicts/verdict.js';

/** Shows people the stored messages of one meter. */
export interface MeterView {
  /** The gateway that last brought something new, 32 bytes. */
  readonly gateway: Uint8Array | null;
  readonly reading: Reading | null;
  /** The newest accepted one, attestable or not. */
  readonly statement: Statement | null;
  /** Number of messages by kind and verdict; kind 0 for what belongs to no stream and for duplicates. */
  readonly counts: readonly { readonly kind: number; readonly verdict: VerdictCode; readonly n: number }[];
}

/** Read by the API. Throws when the disk fails. */
export interface LedgerViews {
  meter(record: MeterRecord): MeterView;
  /** Counts of messages whose meter is not known, or that it did not sign. */
  unattributed(): MeterView['counts'];
  /** Messages that a gateway brought and no key of the meter they name has signed. */
  ofGateway(gateway: Uint8Array): MeterView['counts'];
}

/** Holds one meter's totals on chain since enrolment. */
export interface ChainTotals {
  readonly window: Window;
  readonly importWh: Wh;
  readonly exportWh: Wh;
  readonly mintedBaseUnits: BaseUnits;
  /** Signatures of the transactions that moved this meter, newest last; may be cut to the newest hundreds. */
  readonly transactions: readonly string[];
}

/** One window of one meter on chain; energies are differences to the settlement before. */
export interface Settlement {
  readonly id: number;
  readonly meterId: MeterId;
  readonly window: Window;
  readonly exportWh: Wh;
  readonly importWh: Wh;
  readonly mintedBaseUnits: BaseUnits;
  readonly attest: string;
  readonly mint: string | null;
  /** Real milliseconds from the window's close on the reading clock to the mint's confirmation. */
  readonly closeToMintMs: number | null;
  readonly undone: boolean;
}

/** Another attestor, as this oracle knows it. */
export interface PeerView {
  /** Keys in base58. */
  readonly oracle: PublicKeyText;
  readonly attestor: PublicKeyText;
  /** Plain words, "signs" when all is well. */
  readonly state: string;
  /** It signs, or was not asked yet. */
  readonly isWell: boolean;
  /** Quotes a claim of this peer that no honest oracle makes; null for none. */
  readonly accusation: string | null;
}

export interface ChainState {
  /** Statements or mints that are not confirmed yet. */
  readonly pending: number;
  /** "idle", "waiting for the node: ...": plain words. */
  readonly sender: string;
  readonly lastSnapshotChainSlot: number | null;
  /** Why nothing has moved for long, plain words; null or absent when all is well. */
  readonly stalled?: string | null;
  /** Lists recent skips and failures in plain words. */
  readonly problems?: readonly string[];
  /** The other attestors. */
  readonly peers?: readonly PeerView[];
}

/** Reports the chain side's problems to health in plain words; empty or null where all is well. */
export interface ChainHealth {
  /** Nothing can be sent at all: the node is away, or the network another one. */
  readonly node: string | null;
  /** Pages that pause. */
  readonly pauses: readonly string[];
  /** Energy that is due and was not minted when it was tried. */
  readonly mints: readonly string[];
  /** Pages on which the newest statement of a meter is many windows ahead of its slot. */
  readonly behind: readonly string[];
  readonly cosigners: readonly string[];
  readonly disputes: readonly string[];
  /** Cases that nobody has answered and whose time runs out. */
  readonly deadlines: readonly string[];
  /** Why disputes are not watched. */
  readonly watching: string | null;
  readonly snapshot: string | null;
  /** Of the attestor, lamports; null where it was not read. */
  readonly balanceLamports: number | null;
}

/** Read by the API. */
export interface Settlements {
  after(id: number, limit: number): Settlement[];
  totalsOf(meterId: MeterId): ChainTotals | undefined;
  chainState(): ChainState;
  /** Null where there is no chain. */
  chainHealth(): ChainHealth | null;
}

/**
 * Readings by time that are or were verified. Same meter and time overwrite, so writing twice is the same as writing once. Both methods
 * reject when the store cannot be reached; nothing is dropped then, the caller writes again.
 */
export interface TimeSeries {
  /** Resolves when all points are stored durably. */
  write(points: readonly SeriesRow[]): Promise<void>;
  /** Points of one meter with `fromAtMs` <= time < `untilMs`, times rising, at most `limit`. */
  range(meterId: MeterId, fromAtMs: number, untilMs: number, limit: number): Promise<SeriesRow[]>;
  close(): Promise<void>;
}

/** Where points are kept that the time series does not take; both methods throw when the disk fails. */
export interface SetAside {
  /** Durable when it returns; the same point again is one entry. */
  add(refused: readonly RefusedRow[]): void;
  /** All that ever were. */
  count(): number;
}

/** A point that the time series will never take, and why, in words. */
export interface RefusedRow {
  readonly point: SeriesRow;
  readonly reason: string;
}

/** Verified readings in the order in which they became verified. Throws when the disk fails. */
export interface ReadingSource {
  /**
   * Readings at positions above `cursor`, at most `limit`; `through` is the last position looked at, `cursor` itself
   * when there is none above it. Asking says that everything up to `cursor` is stored and may be forgotten.
   */
  readingsAfter(cursor: number, limit: number): { readonly through: number; readonly points: readonly SeriesRow[] };
}

/** The tags that a meter's points are filed under. */
export type MeterTags = Pick<SeriesRow, 'zone' | 'role' | 'source'>;

/** How far the time series has come, kept in the same file as the readings. Throws when the disk fails. */
export interface FeedRecord {
  /** Position through which every reading is stored or refused; 0 at first. */
  cursor(): number;
  /** Sets the cursor and keeps the refused points, in one commit; durable when it returns. */
  advance(through: number, refused: readonly RefusedRow[]): void;
  tags(): ReadonlyMap<MeterId, MeterTags>;
  /** Durable when it returns. */
  fileUnder(meters: ReadonlyMap<MeterId, MeterTags>): void;
}
