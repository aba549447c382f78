import type { CodedValue, MeterId } from '@gridtokenx/protocol';
import type { SignedMessage } from './signed-message.js';

/**
 * States the ports that the gateway's domain needs. Each port states how it fails; each adapter implements one port.
 */

/** A file that is only ever appended to. Rejects with the system's error (`code` ENOSPC, EIO, ...). */
export interface AppendFile {
  append(bytes: Uint8Array): Promise<void>;
  /**
   * Resolves when everything appended so far survives a power cut. After a rejection the file's end is unknown: open a
   * new file.
   */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Reads and writes the disk under spool and state. All methods reject with the system's error and never block the event
 * loop.
 */
export interface Disk {
  /** Creates a directory and its parents; they survive a power cut when this resolves. */
  makeDir(path: string): Promise<void>;
  /** Lists the names in a directory, sorted; empty when there is none. */
  list(path: string): Promise<string[]>;
  /** Reads a whole file; null when there is none. */
  read(path: string): Promise<Uint8Array | null>;
  /** Returns the bytes of a file; null when there is none. */
  size(path: string): Promise<number | null>;
  /** Reads `length` bytes from `offset`, or fewer at the file's end. */
  readAt(path: string, offset: number, length: number): Promise<Uint8Array>;
  /** Opens at the end, creating the file; `syncDir` makes the new name survive. */
  openAppend(path: string): Promise<AppendFile>;
  /** Truncates a file, durably. */
  truncate(path: string, length: number): Promise<void>;
  /** Replaces a file's content durably and atomically: a reader or a crash sees either the old or the new content. */
  replace(path: string, bytes: Uint8Array): Promise<void>;
  /** Replaces a file's content atomically for readers; a power cut may leave the old content, or none. */
  replaceUnsynced(path: string, bytes: Uint8Array): Promise<void>;
  remove(path: string): Promise<void>;
  syncDir(path: string): Promise<void>;
}

/** The billing registers of a meter from one read, with the values beside them. */
export interface MeterSample {
  /** Reading clock when the last byte of the reply with the energy registers arrived, ms. */
  readonly timeMs: number;
  readonly uncertaintyMs: number | null;
  /** Steady time at the same moment, ms: it bounds what the connection can have carried since another sample. */
  readonly steadyMs: number;
  readonly importWh: bigint;
  readonly exportWh: bigint;
  /** Watts, import positive; null where not available, as below. */
  readonly powerW: number | null;
  /** In 0.1 V. */
  readonly voltageDv: number | null;
  /** In 0.01 Hz. */
  readonly frequencyChz: number | null;
  /** The raw reply frames, in the order they came. */
  readonly raw: Uint8Array;
  /** The coarsest step of both registers at these values, Wh, at least 1. */
  readonly resolutionWh: bigint;
  /** States each check of the profile's probe that fails, in words; a value that was not read fails none. */
  readonly against: readonly string[];
  /** Wh at which each register rolls over to 0, where known; null where not. */
  readonly rolloverWh?: { readonly importWh: bigint | null; readonly exportWh: bigint | null };
}

/**
 * Reads one meter. Rejects with `ReadError`; after `timeout` or `connection`, no later arrival is used. The bus below
 * allows one request at a time, and may serve several readers.
 */
export interface MeterReader {
  read(): Promise<MeterSample>;
  /** Reads values that are never billed; null where the meter has none. Absent: the reader knows none. */
  further?(): Promise<FurtherSample | null>;
}

/** Values of a meter beside energy, power, voltage and frequency, at the arrival of the last of them. */
export interface FurtherSample {
  /** Reading clock, ms. */
  readonly timeMs: number;
  readonly uncertaintyMs: number | null;
  /** By rising code, without those that are not available; at least one. */
  readonly values: readonly CodedValue[];
}

export const ReadFailure = {
  connection: 1,
  timeout: 2,
  exception: 3,
  badReply: 4,
  /** A second master was heard on the line: nothing may be signed. */
  secondMaster: 5,
  /** All reply shapes are in quarantine: a request now could mistake one register's value for another's. */
  resting: 6,
  /** An energy register holds a pattern or a number that is no energy. */
  noValue: 7,
} as const;
export type ReadFailure = (typeof ReadFailure)[keyof typeof ReadFailure];

/** Reports a read without a value; the number is stable. For every number: read again at the next poll. */
export class ReadError extends Error {
  override readonly name = 'ReadError';
  readonly failure: ReadFailure;
  constructor(failure: ReadFailure, message: string, options?: ErrorOptions) {
    super(message, options);
    this.failure = failure;
  }
}

/** Gathers what a start needs from the spool's records. */
export interface RecoveryPort {
  visit(message: SignedMessage): void;
  /**
   * Returns everything that the visited records showed, as text. Where it is there, each committed message is visited too.
   */
  snapshot?(): string;
  /** Continues from such a text. Returns false, without an effect, where that is impossible. */
  restore?(text: string): boolean;
}

export interface SpoolDamage {
  /** Bytes between whole records, over the segments that were read. */
  readonly damagedBytes: number;
  /** Bytes that were cut from the ends of segments. */
  readonly tornBytes: number;
}

/** Seqs of records that the spool had and has no more, with a gap reason. */
export interface LostSeqs {
  readonly meterId: MeterId;
  readonly first: bigint;
  readonly last: bigint;
  readonly reason: number;
}

/** `r`: readings. `s`: statements, events and enrolments. */
export type SpoolStream = 'r' | 's';

/** Keeps signed messages until they are acknowledged; the only queue. */
export interface Spool {
  /** Resolves when all messages survive a power cut. Waits while the disk fails, and never rejects. */
  append(messages: readonly SignedMessage[]): Promise<void>;
  /**
   * Returns up to `limit` committed messages of a meter with seq >= `from`, rising. Omits damaged records and counts
   * them.
   */
  read(meterId: MeterId, from: bigint, limit: number, only?: SpoolStream): Promise<SignedMessage[]>;
  /** Highest committed seq of a meter; 0 when there is none. */
  highest(meterId: MeterId): bigint;
  has(meterId: MeterId, seq: bigint): boolean;
  /** Committed records of a meter with seq from `from` to `through`. */
  count(meterId: MeterId, from: bigint, through: bigint, only?: SpoolStream): number;
  /** Ranges from `from` to `through` of which no record is there, rising. */
  missing(meterId: MeterId, from: bigint, through: bigint): { first: bigint; last: bigint }[];
  /** Bytes on disk. */
  bytes(): number;
  /**
   * Keeps within `maxBytes`: drops readings that are safe, then the oldest readings, in whole segments. Those go once
   * `declare` resolves for what is not safe in them; without it `takeLost` names them. Rejects with the disk's error.
   */
  trim(
    maxBytes: number,
    safeThrough: (meterId: MeterId) => bigint,
    declare?: (lost: readonly LostSeqs[]) => Promise<void>,
  ): Promise<void>;
  /** Reads a part of the spool again and finds what was damaged since. Never rejects. */
  scrub(): Promise<void>;
  /** Returns the seqs that were lost since the last call: a gap must declare those that no oracle has. */
  takeLost(): LostSeqs[];
  /** Frees bytes of a full disk for states. Returns true where another attempt may succeed. Never rejects. */
  relieve(): Promise<boolean>;
  /** Bytes and syncs of commits since the start. */
  written(): { readonly bytes: number; readonly syncs: number };
  /** Describes the disk's fault in plain words; null when there is none. */
  problem(): string | null;
  close(): Promise<void>;
}

/** Counts events by stable names; metrics show them. */
export interface Counters {
  add(name: CounterName, labels?: Readonly<Record<string, string>>, by?: number): void;
}
export type CounterName =
  | 'polls'
  | 'doubts'
  | 'poll_errors'
  | 'readings'
  | 'statements'
  | 'more_values'
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
