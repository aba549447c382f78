import { asMeterId, asWindow, asWindowOrNone, decodePayload, parseSign1, type Reason } from '@gridtokenx/protocol';
import type { StoredMessage, StoredStream } from '../../domain/verdicts/ports.js';

/** A seq as it is stored: 8 bytes big-endian. */
export function seqBlob(seq: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, seq);
  return bytes;
}

export function blobSeq(bytes: Uint8Array): bigint {
  return new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0);
}

type Raw = Record<string, unknown>;

export function streamRow(raw: Raw): StoredStream {
  return {
    id: Number(raw.id),
    meter: asMeterId(String(raw.meter)),
    key: raw.key as Uint8Array,
    suspendedFrom: raw.suspended_from === null ? null : blobSeq(raw.suspended_from as Uint8Array),
    storedThrough: blobSeq(raw.stored_through as Uint8Array),
    highestSeen: blobSeq(raw.highest_seen as Uint8Array),
    highestWindow: asWindow(Number(raw.highest_window)),
    lastWindow: raw.last_window === null ? null : asWindowOrNone(Number(raw.last_window)),
    dirtyFrom: raw.dirty_from === null ? null : blobSeq(raw.dirty_from as Uint8Array),
    dirtyThrough: raw.dirty_through === null ? 0n : blobSeq(raw.dirty_through as Uint8Array),
    quota: raw.quota_left === null ? null : { left: Number(raw.quota_left), atMs: Number(raw.quota_ms) },
  };
}

/** Decodes a stored message. The message was decoded before it was stored, so only damage makes this throw. */
export function messageRow(raw: Raw): StoredMessage {
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
    topWindow: raw.top_window === null ? null : asWindowOrNone(Number(raw.top_window)),
    arrivedAtMs: Number(raw.arrived_ms),
    receivedAtMs: Number(raw.received_ms),
  };
}
