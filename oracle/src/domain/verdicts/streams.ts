import { asWindow, Kind, type MeterId, Reason, Role } from '@gridtokenx/protocol';
import { MAX_WAITING, RESERVED_MESSAGES, refilled } from '../intake/quota.js';
import type { MeterRecord } from '../ports.js';
import { markContradictions } from './contradictions.js';
import type { Change } from './convergence.js';
import { add, type Budget, type Effects, noteInput, type Present } from './effects.js';
import type { ScanContext } from './entry.js';
import { declaredGap, type Gaps } from './gaps.js';
import type { Judging } from './judging.js';
import { dueAtMs } from './limits.js';
import type { DerivedPoints, Incoming, Item, StoredStream, StreamStore } from './ports.js';
import { termsOf } from './rotation.js';
import type { StreamScan } from './scan.js';
import { suspended } from './single.js';
import { entryOf, Sweep, topOf } from './sweep.js';

interface Cached {
  readonly stream: StoredStream;
  gaps: Gaps;
  /** Has judged every stored message below the suspension; null: begin again from the rows. */
  scan: StreamScan | null;
  /** Kind of change in the marked part of the stream. */
  change: Change;
}

const CACHED_STREAMS = 4096;

/**
 * Keeps the verdicts of every stream equal to those of the complete set of its messages. Messages in order and without
 * gaps cost one step each. Otherwise judging begins again after the nearest statement below the new message, and
 * continues until nothing differs. Whatever exceeds a budget is marked in the stream and judged later.
 */
export class Streams {
  readonly #store: StreamStore;
  readonly #points: Pick<DerivedPoints, 'witnessOf'>;
  readonly #scanFrom: Judging['scanFrom'];
  readonly #cache = new Map<string, Cached>();

  constructor(store: StreamStore, points: Pick<DerivedPoints, 'witnessOf'>, { scanFrom }: Pick<Judging, 'scanFrom'>) {
    this.#store = store;
    this.#points = points;
    this.#scanFrom = scanFrom;
  }

  /** Discards the state in memory after a rollback: it no longer follows from the stored rows. */
  forget(): void {
    this.#cache.clear();
  }

  /** Takes the messages of one stream; returns how many were already stored. Runs inside a transaction. */
  absorb(incoming: readonly Incoming[], present: Present, effects: Effects, budget: Budget): number {
    const first = incoming[0];
    if (!first) return 0;
    const { meter, key } = first.admitted;
    const cached = this.#open(meter.meterId, key);
    const { stream } = cached;
    const unknown = this.#fresh(stream, incoming);
    const duplicates = incoming.length - unknown.length;
    if (unknown.length === 0) return duplicates;
    const fresh = this.#withinQuota(stream, unknown, present, effects);
    const from = markContradictions(this.#store, stream, fresh, effects, meter);
    if (from !== null && from !== stream.suspendedFrom) this.#suspend(cached, from, meter, effects);
    const below: Item[] = [];
    for (const item of fresh) {
      const { payload } = item.admitted;
      if (payload.seq > stream.highestSeen) stream.highestSeen = payload.seq;
      if (payload.kind === Kind.statement && payload.window > stream.highestWindow)
        stream.highestWindow = payload.window;
      if (stream.suspendedFrom !== null && payload.seq >= stream.suspendedFrom)
        this.#store.insert(stream, item, suspended(item.contradicted), null, effects);
      else below.push(item);
    }
    this.#judge(cached, below, meter, present, effects, budget);
    this.#store.save(stream);
    return duplicates;
  }

  /**
   * Marks a stream to be judged again from `first` on, and at least up to `last` (null: all of it). A message there
   * waited for time or for the registry, or its inputs changed. Runs inside a transaction.
   */
  mark(stream: StoredStream, first: bigint, last: bigint | null): void {
    const cached = this.#open(stream.meter, stream.key);
    this.#dirty(cached, first, last ?? cached.stream.highestSeen, last === null ? 'unknown' : 'verdicts');
    this.#store.save(cached.stream);
  }

  /** Judges the marked part of a stream within the budget. Runs inside a transaction. */
  sweep(stream: StoredStream, meter: MeterRecord, present: Present, effects: Effects, budget: Budget): void {
    const cached = this.#open(stream.meter, stream.key);
    if (!termsOf(meter, stream.key)) {
      // The registry no longer knows the key: its verdicts stay.
      cached.stream.dirtyFrom = null;
      this.#store.save(cached.stream);
      return;
    }
    this.#judge(cached, [], meter, present, effects, budget);
    this.#store.save(cached.stream);
  }

  /** Returns the declared gaps of a stream; the caller must not change them. */
  gapsOf(stream: StoredStream): Gaps {
    return this.#open(stream.meter, stream.key).gaps;
  }

  #open(meterId: MeterId, key: Uint8Array): Cached {
    const name = `${meterId}/${Buffer.from(key.buffer, key.byteOffset, key.length).toString('base64')}`;
    const found = this.#cache.get(name);
    if (found) return found;
    const oldest = this.#cache.size >= CACHED_STREAMS ? this.#cache.keys().next().value : undefined;
    if (oldest !== undefined) this.#cache.delete(oldest);
    const stream = this.#store.stream(meterId, key);
    const cached: Cached = { stream, gaps: this.#store.gaps(stream), scan: null, change: 'unknown' };
    this.#cache.set(name, cached);
    return cached;
  }

  /** Returns messages that are neither stored nor repeated in the batch, by seq. */
  #fresh(stream: StoredStream, incoming: readonly Incoming[]): Item[] {
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
   * Returns the messages that the key's allowance covers. The rest is counted but not stored, and the gateway sends it
   * again.
   */
  #withinQuota(stream: StoredStream, items: readonly Item[], { nowMs }: Present, effects: Effects): Item[] {
    const bucket = refilled(stream.quota, nowMs);
    let { left } = bucket;
    let waiting: number | null = null;
    const taken = items.filter(({ admitted: { payload } }) => {
      const due = dueAtMs(payload);
      let mayWait = true;
      if (due !== null && due > nowMs) {
        waiting ??= this.#store.dueOf(stream);
        mayWait = ++waiting <= MAX_WAITING;
      }
      const isMeasured = payload.kind === Kind.reading || payload.kind === Kind.moreValues;
      const isIn = mayWait && left >= (isMeasured ? RESERVED_MESSAGES : 1);
      if (isIn) left--;
      else {
        this.#store.count(stream.meter, payload.kind, Reason.overQuota, 1);
        add(effects.verdicts, Reason.overQuota, 1);
      }
      return isIn;
    });
    stream.quota = { left, atMs: bucket.atMs };
    return taken;
  }

  #suspend(cached: Cached, from: bigint, meter: MeterRecord, effects: Effects): void {
    const { stream } = cached;
    const before = stream.suspendedFrom;
    stream.suspendedFrom = from;
    // Gaps that are no longer declared may lie below it.
    if (meter.role !== Role.point) noteInput(effects.inputs, meter.meterId, asWindow(0));
    if (stream.storedThrough >= from) stream.storedThrough = from - 1n;
    const lowest = this.#store.dropGaps(stream, from);
    if (lowest !== null) cached.gaps = this.#store.gaps(stream);
    cached.scan = null;
    const through = before === null ? stream.highestSeen : before;
    this.#dirty(cached, lowest !== null && lowest < from ? lowest : from, through > from ? through : from, 'unknown');
  }

  #dirty(cached: Cached, from: bigint, through: bigint, change: Change): void {
    const { stream } = cached;
    cached.scan = null;
    if (stream.dirtyFrom === null) cached.change = change;
    else if (cached.change !== change)
      cached.change = cached.change === 'unknown' || change === 'unknown' ? 'unknown' : 'messages';
    if (stream.dirtyFrom === null || from < stream.dirtyFrom) stream.dirtyFrom = from;
    if (through > stream.dirtyThrough) stream.dirtyThrough = through;
  }

  #context({ stream, gaps }: Cached, meter: MeterRecord, nowMs: number): ScanContext {
    const terms = termsOf(meter, stream.key);
    if (!terms) throw new RangeError(`meter ${stream.meter} does not have the key of this stream`);
    return { meter, terms, gaps, suspendedFrom: stream.suspendedFrom, nowMs, point: this.#points.witnessOf(meter) };
  }

  /** Judges new messages (by seq, not stored yet) and the marked part. */
  #judge(
    cached: Cached,
    items: readonly Item[],
    meter: MeterRecord,
    present: Present,
    effects: Effects,
    budget: Budget,
  ): void {
    const { stream } = cached;
    let lowest = items[0]?.admitted.payload.seq ?? null;
    let through = items.at(-1)?.admitted.payload.seq ?? 0n;
    for (const { admitted } of items) {
      const gap = declaredGap(admitted.payload);
      if (!gap) continue;
      this.#store.addGap(stream, admitted.payload.seq, gap);
      cached.gaps.add(gap);
      if (lowest === null || gap.first < lowest) lowest = gap.first;
      if (gap.last > through) through = gap.last;
    }
    const context = this.#context(cached, meter, present.nowMs);
    // A newly known rotation concerns everything that the old key signed.
    if (context.terms.lastWindow !== stream.lastWindow) this.#dirty(cached, 1n, stream.highestSeen, 'unknown');
    stream.lastWindow = context.terms.lastWindow;
    const { scan } = cached;
    if (scan && stream.dirtyFrom === null && lowest !== null && lowest > scan.at) {
      for (const item of items) {
        const judgement = scan.step(entryOf(item, present.registryFetchedAtMs > item.receivedAtMs), context);
        this.#store.insert(stream, item, judgement, topOf(item.admitted.payload, scan), effects);
      }
      stream.storedThrough = scan.storedThrough(context);
      return;
    }
    if (lowest !== null) this.#dirty(cached, lowest, through, 'messages');
    if (stream.dirtyFrom === null) return;
    const { gaps, change } = cached;
    const of = { stream, gaps, meter, context, items, change, scanFrom: this.#scanFrom };
    cached.scan = new Sweep(this.#store, of, present, effects, budget).run();
    cached.change = 'unknown';
  }
}
