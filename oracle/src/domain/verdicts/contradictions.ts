import { Kind, Reason } from '@gridtokenx/protocol';
import type { MeterRecord } from '../ports.js';
import type { Effects } from './effects.js';
import { type Item, MAX_AT_SEQ, MAX_CONTRADICTIONS, type Place, type StoredStream, type StreamStore } from './ports.js';
import { suspended } from './single.js';

/**
 * Marks messages of `fresh` and stored messages that contradict each other. Returns the lowest seq from which they
 * suspend the key, or null. Removes surplus contradictions from `fresh`. Reads a bounded number of stored messages for
 * each.
 */
export function markContradictions(
  store: StreamStore,
  stream: StoredStream,
  fresh: Item[],
  effects: Effects,
  meter: MeterRecord,
): bigint | null {
  let from = stream.suspendedFrom;
  const inBatch = new Map<string, Item[]>();
  for (const item of [...fresh]) {
    const { payload } = item.admitted;
    const window = payload.kind === Kind.statement ? payload.window : null;
    const isAbove = payload.seq > stream.highestSeen && (window === null || window > stream.highestWindow);
    const atSeq = isAbove ? [] : store.atSeq(stream, payload.seq);
    const atWindow = isAbove || window === null ? [] : store.atWindow(stream, window);
    const places = [`s${payload.seq}`, ...(window === null ? [] : [`w${window}`])];
    const others = places.flatMap((place) => inBatch.get(place) ?? []);
    const isCrowded = (place: string, there: number, most = MAX_CONTRADICTIONS) =>
      there + (inBatch.get(place)?.length ?? 0) >= most;
    // Drops it only where contradicting messages already fill every place: then the drop changes nothing.
    const isEvidence = window === null || isCrowded(`w${window}`, atWindow.length);
    const isFull = isCrowded(`s${payload.seq}`, atSeq.length, MAX_AT_SEQ);
    if (isFull || (isCrowded(`s${payload.seq}`, atSeq.length) && isEvidence)) {
      fresh.splice(fresh.indexOf(item), 1);
      store.count(stream.meter, payload.kind, Reason.equivocation, 1);
      continue;
    }
    for (const place of places) inBatch.set(place, [...(inBatch.get(place) ?? []), item]);
    const stored = [...atSeq, ...atWindow];
    if (stored.length + others.length === 0) continue;
    item.contradicted = true;
    for (const other of others) other.contradicted = true;
    markStored(store, stream, stored, effects, meter);
    const seqs = [payload.seq, ...stored.map((s) => s.seq), ...others.map((o) => o.admitted.payload.seq)];
    for (const seq of seqs) if (from === null || seq < from) from = seq;
  }
  return from;
}

/** Of several messages at one place, all but the first were marked before. */
function markStored(
  store: StreamStore,
  stream: StoredStream,
  stored: readonly Place[],
  effects: Effects,
  meter: MeterRecord,
): void {
  for (const other of stored) {
    if (other.contradicted) continue;
    store.contradict(other.id);
    const row = store.byId(other.id);
    if (row) store.rejudge(stream, row, suspended(true), row.topWindow, meter, effects);
  }
}
