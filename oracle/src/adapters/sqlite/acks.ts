import type { DatabaseSync } from 'node:sqlite';
import {
  asMeterId,
  asWindow,
  MAX_REFUSED,
  type MeterId,
  type MeterWatermark,
  type Reason,
  toHex,
} from '@gridtokenx/protocol';
import type { AckContent } from '../../domain/intake/ports.js';
import type { Registry } from '../../domain/ports.js';
import type { StoredStream } from '../../domain/verdicts/ports.js';
import type { Streams } from '../../domain/verdicts/streams.js';
import { NOT_REFUSED } from './codes.js';
import { blobSeq, seqBlob } from './rows.js';
import type { Store } from './store.js';

type Refusal = AckContent['refused'][number];

/** Bounds the rows that are read for refusals; skips rows whose gap the meter declared. */
const LOOKED_AT = 2 * MAX_REFUSED;

/**
 * Collects what one gateway's ack states: how far each meter is stored, and which messages are refused for good and not
 * yet declared as a gap [wire §8.3]. Refusals of its own streams come first: those hold up a watermark.
 */
export function tellGateway(
  sqlite: DatabaseSync,
  store: Store,
  streams: Streams,
  registry: Registry,
  gateway: Uint8Array,
): AckContent {
  const meters = new Map<MeterId, MeterWatermark>();
  const refused: Refusal[] = [];
  const row = sqlite.prepare('SELECT id FROM gateways WHERE key = ?').get(gateway);
  if (!row) return { meters, refused };
  const id = Number(row.id);
  const linked = sqlite.prepare('SELECT meter FROM gateway_meters WHERE gateway = ? ORDER BY meter').all(id);
  const known = new Map<string, StoredStream>();
  for (const { meter } of linked) {
    const record = registry.meter(asMeterId(String(meter)));
    const stream = record && store.findStream(record.meterId, record.key);
    if (!record) continue;
    meters.set(record.meterId, {
      storedThrough: stream?.storedThrough ?? 0n,
      highestSeen: stream?.highestSeen ?? 0n,
      highestWindow: stream?.highestWindow ?? asWindow(0),
    });
    if (stream) known.set(record.meterId, stream);
    // The previous key's messages are refused in its own stream; the new key does not share its seqs.
    const before = record.previousKey && store.findStream(record.meterId, record.previousKey);
    if (before) refused.push(...refusedOf(sqlite, streams, before));
  }
  const isDeclared = (stream: StoredStream, seq: bigint) =>
    seq <= stream.storedThrough || streams.gapsOf(stream).has(seq);
  for (const stream of known.values()) refused.push(...refusedOf(sqlite, streams, stream));
  for (const reject of rejectsOf(sqlite, id)) {
    const stream = reject.meter === null ? undefined : known.get(reject.meter);
    if (stream && reject.seq !== null && isDeclared(stream, reject.seq)) continue;
    refused.push({ hash: reject.hash, reason: reject.reason });
  }
  const seen = new Set<string>();
  const distinct = refused.filter(({ hash }) => !seen.has(toHex(hash)) && seen.add(toHex(hash)));
  return { meters, refused: distinct.slice(0, MAX_REFUSED) };
}

function refusedOf(sqlite: DatabaseSync, streams: Streams, stream: StoredStream): Refusal[] {
  const rows = sqlite
    .prepare(
      `SELECT seq, hash, verdict FROM messages WHERE stream = ? AND seq > ? AND verdict NOT IN ${NOT_REFUSED} AND settled = 1 ORDER BY seq LIMIT ?`,
    )
    .all(stream.id, seqBlob(stream.storedThrough), LOOKED_AT);
  if (rows.length === 0) return [];
  const gaps = streams.gapsOf(stream);
  return rows
    .filter((row) => !gaps.has(blobSeq(row.seq as Uint8Array)))
    .map((row) => ({ hash: row.hash as Uint8Array, reason: Number(row.verdict) as Reason }));
}

function rejectsOf(sqlite: DatabaseSync, gateway: number) {
  return sqlite
    .prepare('SELECT hash, reason, meter, seq FROM rejects WHERE gateway = ? AND settled = 1 ORDER BY id DESC LIMIT ?')
    .all(gateway, LOOKED_AT)
    .map((row) => ({
      hash: row.hash as Uint8Array,
      reason: Number(row.reason) as Reason,
      meter: row.meter === null ? null : asMeterId(String(row.meter)),
      seq: row.seq === null ? null : blobSeq(row.seq as Uint8Array),
    }));
}
