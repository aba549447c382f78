import type { MeterId, Payload, PublicKeyText, Window, WindowOrNone } from '@gridtokenx/protocol';
import type { Admitted } from '../intake/admit.js';
import type { Bucket } from '../intake/quota.js';
import type { PointWitness } from '../points/points.js';
import type { MeterRecord } from '../ports.js';
import type { Effects } from './effects.js';
import type { Judgement } from './entry.js';
import type { DeclaredGap, Gaps } from './gaps.js';
import type { ScanStart } from './scan.js';
import type { VerdictCode } from './verdict.js';

/**
 * Names the counter of a message: its meter, the gateway that brought a message no key has signed, or '' for nobody.
 */
export type CountPlace = MeterId | `gateway ${PublicKeyText}` | '';

/** A meter and one of its keys, as stored. */
export interface StoredStream {
  readonly id: number;
  /** Hex. */
  readonly meter: MeterId;
  /** 32 bytes. */
  readonly key: Uint8Array;
  suspendedFrom: bigint | null;
  storedThrough: bigint;
  highestSeen: bigint;
  highestWindow: Window;
  /** Last window of the key at its last judgement; null: the key is in force. */
  lastWindow: WindowOrNone | null;
  /** Everything from this seq on is to be judged again; null: nothing. */
  dirtyFrom: bigint | null;
  /** Something changed up to this seq; above it, judging may stop where nothing differs. */
  dirtyThrough: bigint;
  quota: Bucket | null;
}

/** A message with its verdict, as stored. */
export interface StoredMessage {
  readonly id: number;
  /** The 171 bytes. */
  readonly message: Uint8Array;
  readonly payload: Payload;
  /** The 96 signed bytes. */
  readonly signed: Uint8Array;
  readonly verdict: VerdictCode;
  readonly settled: boolean;
  readonly basis: boolean;
  readonly contradicted: boolean;
  /** For a statement: the highest window of all statements up to it. */
  readonly topWindow: WindowOrNone | null;
  /** On the clock that drives readings, ms. */
  readonly arrivedAtMs: number;
  /** Real time, ms. */
  readonly receivedAtMs: number;
}

/** A stored message that another may contradict. */
export interface Place {
  readonly id: number;
  readonly seq: bigint;
  readonly contradicted: boolean;
}

/** Seqs of a stream that are to be judged again, both ends included. */
export interface Marked {
  /** Id of the stream. */
  readonly stream: number;
  readonly first: bigint;
  readonly last: bigint;
}

/** A signature-valid message that may be new. */
export interface Incoming {
  readonly admitted: Admitted;
  /** On the clock that drives readings, ms. */
  readonly arrivedAtMs: number;
  /** Real time, ms. */
  readonly receivedAtMs: number;
}

/** A new message. */
export interface Item extends Incoming {
  contradicted: boolean;
}

/** Number of rows per read. */
export type PageSize = 'few' | 'many';

/**
 * Maximum number of contradicting messages kept as evidence for one place; further messages are counted and dropped.
 */
export const MAX_CONTRADICTIONS = 4;
/** Maximum number of messages kept for one seq, whatever windows they state. */
export const MAX_AT_SEQ = 64;
/** Maximum number of places marked in one commit. */
export const MAX_PLACES = 256;
/** Maximum number of streams that share one commit's re-judging. */
export const MAX_DIRTY = 16;

/** The streams and messages of a ledger. All methods run inside a transaction; each throws when the disk fails. */
export interface StreamStore {
  /** Returns the stream of a meter and key; creates it when it is new. */
  stream(meter: MeterId, key: Uint8Array): StoredStream;
  findStream(meter: MeterId, key: Uint8Array): StoredStream | undefined;
  streamById(id: number): StoredStream | undefined;
  save(stream: StoredStream): void;
  has(stream: StoredStream, seq: bigint, hash: Uint8Array): boolean;
  /** Returns stored messages with this seq, at most `MAX_AT_SEQ`. */
  atSeq(stream: StoredStream, seq: bigint): Place[];
  /** Returns stored statements for this window, at most `MAX_CONTRADICTIONS`. */
  atWindow(stream: StoredStream, window: Window): Place[];
  byId(id: number): StoredMessage | undefined;
  contradict(id: number): void;
  /** Stores a new message with its verdict. */
  insert(
    stream: StoredStream,
    item: Item,
    judgement: Judgement,
    topWindow: WindowOrNone | null,
    effects: Effects,
  ): void;
  /** Writes a changed verdict; does nothing when it is unchanged. */
  rejudge(
    stream: StoredStream,
    row: StoredMessage,
    judgement: Judgement,
    topWindow: WindowOrNone | null,
    meter: MeterRecord,
    effects: Effects,
  ): void;
  /** Adds to a counter; `kind` 0 counts duplicates and messages of no stream. */
  count(place: CountPlace, kind: number, verdict: VerdictCode, change: number): void;
  /**
   * Returns the messages with the next seqs above `after`, in order: few or many, and all that share the last seq.
   * Empty only when there are none.
   */
  page(stream: StoredStream, after: bigint, size: PageSize): StoredMessage[];
  gaps(stream: StoredStream): Gaps;
  addGap(stream: StoredStream, eventSeq: bigint, gap: DeclaredGap): void;
  /** Forgets gaps declared by events from `seq` on; returns the lowest seq that such an event declared, or null. */
  dropGaps(stream: StoredStream, seq: bigint): bigint | null;
  /** Returns the seq of the highest statement; 0 for none. */
  lastStatement(stream: StoredStream): bigint;
  /** Returns how many messages of a stream wait for their time. */
  dueOf(stream: StoredStream): number;
  /** Returns places of messages whose time has come, at most `MAX_PLACES`. */
  due(nowMs: number): Marked[];
  /**
   * Returns places of messages that arrived before the registry state requested at `registryFetchedAtMs`, by stream.
   */
  forRegistry(registryFetchedAtMs: number): Marked[];
  /** Returns streams that are to be judged again, in turn: those above `after`, at most `MAX_DIRTY`. */
  dirty(after: number): number[];
  /**
   * Returns the start of a scan that judges everything from `seq` on. The start is after the nearest lower statement,
   * or right below `seq` where that statement lies further back than `MAX_RUN`.
   */
  startBelow(stream: StoredStream, seq: bigint, meter: MeterRecord, gaps: Gaps): ScanStart;
  /** Returns gateways that have sent messages of a meter, 32 bytes each. */
  gatewaysOf(meter: MeterId): Uint8Array[];
}

/** Knows which meters points derive from, and the stored messages of those. Throws when the disk fails. */
export interface DerivedPoints {
  /** Returns points that derive from a meter. */
  pointsOf(meter: MeterId): readonly MeterId[];
  /** Returns the lowest seq of a point's statement that a change from `window` on affects; null: none. */
  affectedFrom(stream: StoredStream, window: Window | null): bigint | null;
  /** Returns the witness that judges a point's statements; undefined for a meter that is no derived point. */
  witnessOf(meter: MeterRecord): PointWitness | undefined;
}
