import type { MeterId } from '@gridtokenx/protocol';
import type { SignedMessage } from './signed-message.js';

/** What the gateway's domain asks of the world. Each port states how it fails; adapters implement one port each. */

/** Where a clock's time comes from: `detail` of events 3 and 4. Stable numbers. */
export const ClockSource = { none: 0, timesyncd: 1, oracle: 2, simulated: 3 } as const;
export type ClockSource = (typeof ClockSource)[keyof typeof ClockSource];

/** The clock that drives readings and windows: the system's, or the simulated one. Milliseconds since 1970, UTC. */
export interface ReadingClock {
  nowMs(): number;
  source(): ClockSource;
  /** How wrong `nowMs` may be, in milliseconds; null = unknown. */
  uncertaintyMs(): number | null;
  /** Real milliseconds until this clock is expected to show `timeMs`; at least 0, a guess when the clock stands. */
  realDelayUntil(timeMs: number): number;
}

/** Real time: time-outs, back-off, acks, sign-in. Never simulated. */
export interface RealTime {
  /** Milliseconds since 1970, UTC. */
  nowMs(): number;
  /** Milliseconds that never step. */
  monotonicMs(): number;
  /** Calls once after `delayMs`; the result cancels. */
  schedule(delayMs: number, call: () => void): () => void;
}

export interface Randomness {
  bytes(length: number): Uint8Array;
  /** From 0 (included) to 1 (excluded). */
  fraction(): number;
}

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
  foreignMaster: 5,
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

/** A connection to the broker, after a successful sign-in. */
export interface MqttSession {
  subscribe(topics: readonly string[]): Promise<void>;
  /** QoS 1; resolves at the PUBACK, which means only that the broker has it. Rejects when the session ends before. */
  publish(topic: string, payload: Uint8Array | string, retain: boolean): Promise<void>;
  onMessage(listener: (topic: string, payload: Uint8Array) => void): void;
  /** Resolves with the reason when the session has ended, for whatever cause. */
  readonly ended: Promise<string>;
  /** Sends DISCONNECT: the will is not published. */
  close(): Promise<void>;
  /** Drops the connection: the broker publishes the will. */
  abort(): void;
}

export interface MqttConnect {
  readonly clientId: string;
  readonly username: string;
  readonly password: Uint8Array;
  readonly will: { readonly topic: string; readonly payload: string };
}

/** Opens sessions with the broker. Rejects with the reason (refused, unreachable, timed out). */
export interface MqttLink {
  connect(options: MqttConnect): Promise<MqttSession>;
}

/** What a TLS server shows; PEM. */
export interface TlsMaterial {
  readonly cert: string;
  readonly key: string;
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
}

/** The server's certificate, which may be renewed while it runs. */
export interface ServerCertificate {
  readonly material: TlsMaterial;
  /** Calls `listener` with each new certificate; connections that are there keep theirs. */
  onRenewed(listener: (material: TlsMaterial) => void): void;
}

/** Few lines: a card in a Pi wears out. */
export interface Logger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
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
