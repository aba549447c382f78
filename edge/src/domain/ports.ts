import type { MeterId } from '@gridtokenx/protocol';
import type { SignedMessage } from './signed-message.js';

/** What the gateway's domain asks of the world. Each port states how it fails; adapters implement one port each. */

/** A file that is only ever appended to. Rejects with the system's error (`code` ENOSPC, EIO, ...). */
export interface AppendFile {
  append(bytes: Uint8Array): Promise<void>;
  /** Resolves when everything appended so far survives a power cut. After a rejection nothing is known: start anew. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** The disk under spool and state. All methods reject with the system's error and never block the event loop. */
export interface Disk {
  /** Creates a directory and its parents; they survive a power cut when this resolves. */
  makeDir(path: string): Promise<void>;
  /** Names in a directory, sorted; empty when there is none. */
  list(path: string): Promise<string[]>;
  /** A whole file, or null when there is none. */
  read(path: string): Promise<Uint8Array | null>;
  /** `length` bytes from `offset`, or fewer at the file's end. */
  readAt(path: string, offset: number, length: number): Promise<Uint8Array>;
  /** Opens at the end, creating the file; `syncDir` makes the new name survive. */
  openAppend(path: string): Promise<AppendFile>;
  /** Cuts a file, durably. */
  truncate(path: string, length: number): Promise<void>;
  /** Puts new content in place of the old, durably and as a whole: a reader or a crash sees one or the other. */
  replace(path: string, bytes: Uint8Array): Promise<void>;
  remove(path: string): Promise<void>;
  syncDir(path: string): Promise<void>;
}

/** One read of a meter's billing registers with what came beside it. */
export interface MeterSample {
  /** Reading clock when the last byte of the reply with the energy registers arrived. */
  readonly timeMs: number;
  readonly uncertaintyMs: number | null;
  readonly importWh: bigint;
  readonly exportWh: bigint;
  /** Watts, import positive; null where not available, as below. */
  readonly powerW: number | null;
  /** 0.1 V. */
  readonly voltageDv: number | null;
  /** 0.01 Hz. */
  readonly frequencyChz: number | null;
  /** The raw reply frames, in the order they came. */
  readonly raw: Uint8Array;
  /** Wh at which each register begins at 0 again, where that is known. */
  readonly rolloverWh?: { readonly importWh: bigint | null; readonly exportWh: bigint | null };
}

/**
 * Reads one meter. Rejects with `ReadError`; after `timeout` or `connection` nothing that arrives later is used. The bus
 * below allows one request at a time, and may serve several readers.
 */
export interface MeterReader {
  read(): Promise<MeterSample>;
}

export const ReadFailure = {
  connection: 1,
  timeout: 2,
  exception: 3,
  badReply: 4,
  /** Another master was heard on the line: nothing may be signed. */
  secondMaster: 5,
  /** Nothing can be asked now without taking one register's value for another's. */
  resting: 6,
} as const;
export type ReadFailure = (typeof ReadFailure)[keyof typeof ReadFailure];

/** A read that gave no value; the number is stable. All of them mean: read again at the next poll. */
export class ReadError extends Error {
  override readonly name = 'ReadError';
  readonly failure: ReadFailure;
  constructor(failure: ReadFailure, message: string, options?: ErrorOptions) {
    super(message, options);
    this.failure = failure;
  }
}

/** The only queue: what was signed, until it was acknowledged.  */
export interface Spool {
  /** Resolves when all of them survive a power cut; a failing disk is waited for, never rejected. */
  append(messages: readonly SignedMessage[]): Promise<void>;
  /** Up to `limit` committed messages of a meter with seq >= `from`, rising. Damaged ones are left out and counted. */
  read(meterId: MeterId, from: bigint, limit: number): Promise<SignedMessage[]>;
  /** Highest committed seq of a meter; 0 when there is none. */
  highest(meterId: MeterId): bigint;
  has(meterId: MeterId, seq: bigint): boolean;
  /** Committed records of a meter with seq from `from` to `through`. */
  count(meterId: MeterId, from: bigint, through: bigint): number;
  /** Ranges from `from` to `through` of which no record is there, rising. */
  missing(meterId: MeterId, from: bigint, through: bigint): { first: bigint; last: bigint }[];
  /** Bytes on disk. */
  bytes(): number;
  /** Drops whole segments of readings, oldest first, while more than `maxBytes` are used and all in them is safe. */
  trim(maxBytes: number, safeThrough: (meterId: MeterId) => bigint): Promise<void>;
  /** What is wrong with the disk, in plain words; null when nothing is. */
  problem(): string | null;
  close(): Promise<void>;
}

/** Counters of what happened, by stable names; what is shown as metrics. */
export interface Counters {
  add(name: CounterName, labels?: Readonly<Record<string, string>>, by?: number): void;
}
export type CounterName =
  | 'polls'
  | 'poll_errors'
  | 'readings'
  | 'statements'
  | 'events'
  | 'publishes'
  | 'messages_sent'
  | 'acks'
  | 'acks_ignored'
  | 'connects'
  | 'connect_errors'
  | 'resends'
  | 'dead_letters'
  | 'bus';
