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

/** Where a message is counted: at its meter, at the gateway that brought what no key has signed, or '' at nobody. */
export type CountPlace = MeterId | `gateway ${PublicKeyText}` | '';

/** A meter and one of its keys, as they are stored. */
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
  /** Last window of its key that it was judged with; null: the key is in force. */
  lastWindow: WindowOrNone | null;
  /** From here on everything is to be judged again; null: nothing is. */
  dirtyFrom: bigint | null;
  /** Up to here something has changed; above it, judging may stop where nothing differs any more. */
  dirtyThrough: bigint;
  quota: Bucket | null;
}

/** A message with its verdict, as it is stored. */
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
  /** Of a statement: the highest window of all up to it. */
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

/** How many rows are read at a time. */
export type PageSize = 'few' | 'many';

/** Several contradicting messages for one place are kept as evidence; further ones are counted and dropped. */
export const MAX_CONTRADICTIONS = 4;
/** Messages of one seq that are kept at all, whatever windows they state. */
export const MAX_AT_SEQ = 64;
/** Places that are marked in one commit. */
export const MAX_PLACES = 256;
/** Streams that share what is judged again in one commit. */
export const MAX_DIRTY = 16;

/** The streams and messages of a ledger. All inside of one transaction; every method throws when the disk fails. */
export interface StreamStore {
  /** The stream of a meter and key, made when it is new. */
  stream(meter: MeterId, key: Uint8Array): StoredStream;
  findStream(meter: MeterId, key: Uint8Array): StoredStream | undefined;
  streamById(id: number): StoredStream | undefined;
  save(stream: StoredStream): void;
  has(stream: StoredStream, seq: bigint, hash: Uint8Array): boolean;
  /** Stored messages with this seq, at most `MAX_AT_SEQ`. */
  atSeq(stream: StoredStream, seq: bigint): Place[];
  /** Stored statements for this window, at most `MAX_CONTRADICTIONS`. */
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
  /** Writes a verdict that changed; nothing when it did not. */
  rejudge(
    stream: StoredStream,
    row: StoredMessage,
    judgement: Judgement,
    topWindow: WindowOrNone | null,
    meter: MeterRecord,
    effects: Effects,
  ): void;
  /** Adds to a counter; `kind` 0 counts what belongs to no stream, and duplicates. */
  count(place: CountPlace, kind: number, verdict: VerdictCode, change: number): void;
  /**
   * The messages with the next seqs above `after`, in order: few or many, and all that share the last one's seq. Empty only
   * when there are none.
   */
  page(stream: StoredStream, after: bigint, size: PageSize): StoredMessage[];
  gaps(stream: StoredStream): Gaps;
  addGap(stream: StoredStream, eventSeq: bigint, gap: DeclaredGap): void;
  /** Forgets gaps declared by events from `seq` on; returns the lowest seq that one of them declared. */
  dropGaps(stream: StoredStream, seq: bigint): bigint | null;
  /** Seq of the highest statement; 0 for none. */
  lastStatement(stream: StoredStream): bigint;
  /** How many messages of a stream wait for their time. */
  dueOf(stream: StoredStream): number;
  /** Places of messages whose time has come, at most `MAX_PLACES`. */
  due(nowMs: number): Marked[];
  /** Places of messages that came before a registry state that was asked for at `registryFetchedAtMs`, by stream. */
  forRegistry(registryFetchedAtMs: number): Marked[];
  /** Streams that are to be judged again, in turn: those above `after`, at most `MAX_DIRTY`. */
  dirty(after: number): number[];
  /**
   * Where to begin to judge again so that all from `seq` on is judged: after the nearest lower statement, or right below
   * where that one lies further back than any scan looks.
   */
  startBelow(stream: StoredStream, seq: bigint, meter: MeterRecord, gaps: Gaps): ScanStart;
  /** Gateways that have spoken for a meter, 32 bytes each. */
  gatewaysOf(meter: MeterId): Uint8Array[];
}

/** Which meters points are derived from, and what is stored of those. Throws when the disk fails. */
export interface DerivedPoints {
  /** Points that are derived from a meter. */
  pointsOf(meter: MeterId): readonly MeterId[];
  /** Lowest seq of a point's statement that is judged by what changed from `window` on; null: none. */
  affectedFrom(stream: StoredStream, window: Window | null): bigint | null;
  /** What a point's statements are judged by; undefined for a meter that is no derived point. */
  witnessOf(meter: MeterRecord): PointWitness | undefined;
}
