import { decodePayload, type Payload, parseSign1, type Reason } from '@gridtokenx/protocol';
import type { Bucket } from '../../domain/intake/quota.js';
import type { VerdictCode } from '../../domain/verdicts/verdict.js';

/** A seq as it is stored: 8 bytes big-endian. */
export function seqBlob(seq: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, seq);
  return bytes;
}

export function blobSeq(bytes: Uint8Array): bigint {
  return new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0);
}

export interface StreamRow {
  readonly id: number;
  readonly meter: string;
  readonly key: Uint8Array;
  suspendedFrom: bigint | null;
  storedThrough: bigint;
  highestSeen: bigint;
  highestWindow: number;
  /** Last window of its key that it was judged with; null: the key is in force. */
  lastWindow: number | null;
  /** From here on everything is to be judged again; null: nothing is. */
  dirtyFrom: bigint | null;
  /** Up to here something has changed; above it, judging may stop where nothing differs any more. */
  dirtyThrough: bigint;
  quota: Bucket | null;
}

export interface MessageRow {
  readonly id: number;
  readonly message: Uint8Array;
  readonly payload: Payload;
  readonly signed: Uint8Array;
  readonly verdict: VerdictCode;
  readonly settled: boolean;
  readonly basis: boolean;
  readonly contradicted: boolean;
  /** Of a statement: the highest window of all up to it. */
  readonly topWindow: number | null;
  readonly arrivedMs: number;
  readonly receivedMs: number;
}

type Raw = Record<string, unknown>;

export function streamRow(raw: Raw): StreamRow {
  return {
    id: Number(raw.id),
    meter: String(raw.meter),
    key: raw.key as Uint8Array,
    suspendedFrom: raw.suspended_from === null ? null : blobSeq(raw.suspended_from as Uint8Array),
    storedThrough: blobSeq(raw.stored_through as Uint8Array),
    highestSeen: blobSeq(raw.highest_seen as Uint8Array),
    highestWindow: Number(raw.highest_window),
    lastWindow: raw.last_window === null ? null : Number(raw.last_window),
    dirtyFrom: raw.dirty_from === null ? null : blobSeq(raw.dirty_from as Uint8Array),
    dirtyThrough: raw.dirty_through === null ? 0n : blobSeq(raw.dirty_through as Uint8Array),
    quota: raw.quota_left === null ? null : { left: Number(raw.quota_left), atMs: Number(raw.quota_ms) },
  };
}

/** What was stored was decoded before, so decoding it again cannot fail unless the file is damaged. */
export function messageRow(raw: Raw): MessageRow {
  const message = raw.bytes as Uint8Array;
  const signed = parseSign1(message).payload;
  return {
    id: Number(raw.id),
    message,
    payload: decodePayload(signed),
    signed,
    verdict: Number(raw.verdict) as 0 | Reason,
    settled: raw.settled === 1,
    basis: raw.basis === 1,
    contradicted: raw.contradicted === 1,
    topWindow: raw.top_window === null ? null : Number(raw.top_window),
    arrivedMs: Number(raw.arrived_ms),
    receivedMs: Number(raw.received_ms),
  };
}
