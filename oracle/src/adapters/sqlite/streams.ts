import { Kind, Reason, Role } from '@gridtokenx/protocol';
import type { Admitted } from '../../domain/admit.js';
import { declaredGap, type Gaps } from '../../domain/gaps.js';
import { termsOf } from '../../domain/rotation.js';
import { type Entry, type ScanContext, StreamScan, suspended } from '../../domain/scan.js';
import type { MeterRecord } from '../../ports.js';
import { noteInput, type Points } from './points.js';
import type { MessageRow, StreamRow } from './rows.js';
import type { Effects, Store } from './store.js';

/** A signature-valid message that may be new. */
export interface Incoming {
  readonly admitted: Admitted;
  readonly arrivedMs: number;
  readonly receivedMs: number;
}

interface Item extends Incoming {
  contradicted: boolean;
}

/** Time and registry at the moment of judging. */
export interface Present {
  /** Clock that drives readings, ms. */
  readonly nowMs: number;
  /** See `Registry.asOf`. */
  readonly registryMs: number;
}

interface Cached {
  readonly stream: StreamRow;
  gaps: Gaps;
  /** Has judged everything below the suspension that is stored; null: begin again from the rows. */
  scan: StreamScan | null;
}

/** Several contradicting messages for one place are kept as evidence; further ones are counted and dropped. */
const KEPT_CONTRADICTIONS = 4;
const CACHED_STREAMS = 4096;

/**
 * Keeps the verdicts of every stream equal to those of the whole set of its messages. In order and without gaps it
 * costs one step a message; otherwise it begins again after the nearest statement below what is new.
 */
export class Streams {
  readonly #store: Store;
  readonly #points: Points;
  readonly #cache = new Map<string, Cached>();

  constructor(store: Store, points: Points) {
    this.#store = store;
    this.#points = points;
  }

  /** To be called when a transaction was rolled back: what is in memory no longer follows from what is stored. */
  forget(): void {
    this.#cache.clear();
  }

  /** Takes the messages of one stream; returns how many were already stored. Inside a transaction. */
  absorb(incoming: readonly Incoming[], present: Present, effects: Effects): number {
    const first = incoming[0];
    if (!first) return 0;
    const { meter, key } = first.admitted;
    const cached = this.#open(meter.meterId, key);
    const fresh = this.#fresh(cached.stream, incoming);
    let lowest = this.#contradictions(cached, fresh, effects, meter);
    const { stream } = cached;
    const below: Item[] = [];
    for (const item of fresh) {
      const { seq } = item.admitted.payload;
      if (seq > stream.highestSeen) stream.highestSeen = seq;
      const { payload } = item.admitted;
      if (payload.kind === Kind.statement && payload.window > stream.highestWindow)
        stream.highestWindow = payload.window;
      if (stream.suspendedFrom !== null && seq >= stream.suspendedFrom)
        this.#store.insert(stream, item, suspended(item.contradicted), effects);
      else below.push(item);
    }
    for (const item of below) {
      lowest = least(lowest, item.admitted.payload.seq);
      const gap = declaredGap(item.admitted.payload);
      if (!gap) continue;
      this.#store.addGap(stream, item.admitted.payload.seq, gap);
      cached.gaps.add(gap);
      lowest = least(lowest, gap.first);
    }
    if (lowest !== null) this.#judgeFrom(cached, lowest, below, meter, present, effects);
    if (fresh.length > 0) this.#store.save(stream);
    return incoming.length - fresh.length;
  }

  /** Judges a stream again from `seq` on: a message that waited for time or for the registry. Inside a transaction. */
  again(meterId: string, key: Uint8Array, seq: bigint, meter: MeterRecord, present: Present, effects: Effects): void {
    const cached = this.#open(meterId, key);
    if (!termsOf(meter, key)) return;
    this.#judgeFrom(cached, seq, [], meter, present, effects);
    this.#store.save(cached.stream);
  }

  #open(meterId: string, key: Uint8Array): Cached {
    const name = `${meterId}/${Buffer.from(key.buffer, key.byteOffset, key.length).toString('base64')}`;
    const found = this.#cache.get(name);
    if (found) return found;
    if (this.#cache.size >= CACHED_STREAMS) this.#cache.clear();
    const stream = this.#store.stream(meterId, key);
    const cached = { stream, gaps: this.#store.gaps(stream), scan: null };
    this.#cache.set(name, cached);
    return cached;
  }

  /** What is neither stored nor twice in the batch, by seq. */
  #fresh(stream: StreamRow, incoming: readonly Incoming[]): Item[] {
    const seen = new Set<string>();
    const fresh: Item[] = [];
    for (const item of incoming) {
      const { payload, hash } = item.admitted;
      const name = Buffer.from(hash.buffer, hash.byteOffset, hash.length).toString('latin1');
      if (seen.has(name) || (payload.seq <= stream.highestSeen && this.#store.has(stream, payload.seq, hash))) continue;
      seen.add(name);
      fresh.push({ ...item, contradicted: false });
    }
    return fresh.sort((a, b) => (a.admitted.payload.seq < b.admitted.payload.seq ? -1 : 1));
  }

  /**
   * Marks messages that contradict each other, and suspends the key from the lowest of them on. Returns the lowest seq
   * below the suspension whose judgement changed by that, or null. Surplus contradictions are removed from `fresh`.
   */
  #contradictions(cached: Cached, fresh: Item[], effects: Effects, meter: MeterRecord): bigint | null {
    const { stream } = cached;
    let from = stream.suspendedFrom;
    const inBatch = new Map<string, Item[]>();
    for (const item of [...fresh]) {
      const { payload } = item.admitted;
      const window = payload.kind === Kind.statement ? payload.window : null;
      const isAbove = payload.seq > stream.highestSeen && (window === null || window > stream.highestWindow);
      const atSeq = isAbove ? [] : this.#store.atSeq(stream, payload.seq);
      const atWindow = isAbove || window === null ? [] : this.#store.atWindow(stream, window);
      const stored = [...atSeq, ...atWindow];
      const places = [`s${payload.seq}`, ...(window === null ? [] : [`w${window}`])];
      const others = places.flatMap((place) => inBatch.get(place) ?? []);
      const isCrowded = (place: string, there: number) =>
        there + (inBatch.get(place)?.length ?? 0) >= KEPT_CONTRADICTIONS;
      // Only where every place of it is taken by others that contradict each other: so dropping it changes nothing.
      if (isCrowded(`s${payload.seq}`, atSeq.length) && (window === null || isCrowded(`w${window}`, atWindow.length))) {
        fresh.splice(fresh.indexOf(item), 1);
        this.#store.count(stream.meter, payload.kind, Reason.equivocation, 1);
        continue;
      }
      for (const place of places) inBatch.set(place, [...(inBatch.get(place) ?? []), item]);
      if (stored.length + others.length === 0) continue;
      item.contradicted = true;
      for (const other of others) other.contradicted = true;
      for (const other of stored) {
        this.#store.contradict(other.id);
        const row = this.#store.byId(other.id);
        if (row) this.#store.rejudge(stream, row, suspended(true), meter, effects);
      }
      const seqs = [payload.seq, ...stored.map((s) => s.seq), ...others.map((o) => o.admitted.payload.seq)];
      for (const seq of seqs) from = least(from, seq);
    }
    if (from === stream.suspendedFrom || from === null) return null;
    return this.#suspend(cached, from, meter, effects);
  }

  #suspend(cached: Cached, from: bigint, meter: MeterRecord, effects: Effects): bigint | null {
    const { stream } = cached;
    stream.suspendedFrom = from;
    // Gaps that are declared no longer may lie below it.
    if (meter.role !== Role.point) noteInput(effects.inputs, meter.meterId, 0);
    if (stream.storedThrough >= from) stream.storedThrough = from - 1n;
    const lowest = this.#store.dropGaps(stream, from);
    cached.gaps = this.#store.gaps(stream);
    cached.scan = null;
    this.#suspendRows(cached, from, meter, effects);
    return lowest ?? from;
  }

  #suspendRows({ stream }: Cached, from: bigint, meter: MeterRecord, effects: Effects): void {
    for (const row of this.#store.from(stream, from)) {
      this.#store.rejudge(stream, row, suspended(row.contradicted), meter, effects);
    }
  }

  #context({ stream, gaps }: Cached, meter: MeterRecord, nowMs: number): ScanContext {
    const terms = termsOf(meter, stream.key);
    if (!terms) throw new RangeError(`a key that meter ${stream.meter} does not have is judged`);
    return { meter, terms, gaps, suspendedFrom: stream.suspendedFrom, nowMs, point: this.#points.witnessOf(meter) };
  }

  /** Judges everything from seq `from` up to the suspension, `items` (by seq, not stored yet) among it. */
  #judgeFrom(
    cached: Cached,
    from: bigint,
    items: readonly Item[],
    meter: MeterRecord,
    present: Present,
    effects: Effects,
  ): void {
    const { stream } = cached;
    const context = this.#context(cached, meter, present.nowMs);
    const { lastWindow } = context.terms;
    // A rotation that became known since concerns everything that the old key said.
    const lowest = lastWindow === stream.lastWindow ? from : 1n;
    stream.lastWindow = lastWindow;
    let scan = cached.scan;
    let rows: MessageRow[] = [];
    if (!scan || lowest <= scan.at) {
      const start = this.#store.startBelow(stream, lowest, meter, cached.gaps);
      scan = new StreamScan(start);
      rows = this.#store.between(stream, start.after, stream.suspendedFrom);
    }
    cached.scan = null;
    let at = 0;
    const judgeRow = (row: MessageRow) => {
      const entry = { ...row, registryIsNewer: present.registryMs > row.receivedMs };
      this.#store.rejudge(stream, row, (scan as StreamScan).step(entry, context), meter, effects);
    };
    for (const item of items) {
      for (let row = rows[at]; row && row.payload.seq < item.admitted.payload.seq; row = rows[++at]) judgeRow(row);
      const entry = entryOf(item, present.registryMs > item.receivedMs);
      this.#store.insert(stream, item, scan.step(entry, context), effects);
    }
    for (let row = rows[at]; row; row = rows[++at]) judgeRow(row);
    stream.storedThrough = scan.storedThrough(context);
    cached.scan = scan;
  }
}

function entryOf(item: Item, registryIsNewer: boolean): Entry {
  const { payload, signed } = item.admitted;
  return { payload, signed, arrivedMs: item.arrivedMs, registryIsNewer, contradicted: item.contradicted };
}

function least(a: bigint | null, b: bigint): bigint {
  return a === null || b < a ? b : a;
}
