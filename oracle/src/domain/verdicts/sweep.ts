import { Kind, type Payload, Reason, type WindowOrNone } from '@gridtokenx/protocol';
import type { MeterRecord } from '../ports.js';
import { type Change, Convergence } from './convergence.js';
import type { Budget, Effects, Present } from './effects.js';
import type { Entry, Judgement, ScanContext } from './entry.js';
import type { Gaps } from './gaps.js';
import type { Judging } from './judging.js';
import type { Item, PageSize, StoredMessage, StoredStream, StreamStore } from './ports.js';
import { StreamScan } from './scan.js';
import { suspended } from './single.js';
import { refusedFor } from './verdict.js';

export interface SweepOf {
  readonly stream: StoredStream;
  readonly gaps: Gaps;
  readonly meter: MeterRecord;
  readonly context: ScanContext;
  /** Messages below the suspension that are not stored yet, by seq. */
  readonly items: readonly Item[];
  readonly change: Change;
  readonly scanFrom: Judging['scanFrom'];
}

/**
 * Judges a stream again from `dirtyFrom` on, with its new messages, within the budget. Stops where nothing differs any
 * more, or at a seq from which it continues later. New messages beyond the budget are stored as *predecessor pending*.
 */
export class Sweep {
  readonly #store: StreamStore;
  readonly #of: SweepOf;
  readonly #present: Present;
  readonly #effects: Effects;
  readonly #budget: Budget;
  #at = 0;

  constructor(store: StreamStore, of: SweepOf, present: Present, effects: Effects, budget: Budget) {
    this.#store = store;
    this.#of = of;
    this.#present = present;
    this.#effects = effects;
    this.#budget = budget;
  }

  /** Returns the scan when it judged everything stored below the suspension; else null. */
  run(): StreamScan | null {
    const { stream } = this.#of;
    const { suspendedFrom, dirtyFrom } = stream;
    if (dirtyFrom === null) return null;
    let scan: StreamScan | null = null;
    if (suspendedFrom === null || dirtyFrom < suspendedFrom) {
      const done = this.#judge(dirtyFrom);
      if (done === 'later') return null;
      if (done instanceof StreamScan) scan = done;
    }
    if (suspendedFrom !== null && !this.#suspendRows(suspendedFrom)) return null;
    stream.dirtyFrom = null;
    stream.dirtyThrough = 0n;
    return scan;
  }

  /**
   * Returns a scan at the end of the stream, 'same' where nothing differs above, 'later' when the budget is used up.
   */
  #judge(from: bigint): StreamScan | 'same' | 'later' {
    const { stream, meter, gaps, context, items, change, scanFrom } = this.#of;
    const before = stream.storedThrough;
    const start = this.#store.startBelow(stream, from, meter, gaps);
    const scan = scanFrom(start);
    const lastStatement = this.#store.lastStatement(stream);
    const convergence = new Convergence(change, start.highestWindow);
    const finish = (isWhole: boolean) => {
      const found = scan.storedThrough(context);
      // Messages above were acknowledged before and are stored: a lower watermark would make gateways send all of them
      // again.
      stream.storedThrough = !isWhole && scan.isAdvancing && before > found ? before : found;
    };
    for (const row of this.#rows(start.after, stream.suspendedFrom)) {
      this.#itemsBelow(row.payload.seq, scan, convergence);
      const { seq } = row.payload;
      if (seq >= from && this.#budget.left-- <= 0) {
        finish(false);
        this.#goOnAt(seq);
        return 'later';
      }
      const judgement = this.#step(row, scan);
      if (seq <= stream.dirtyThrough) convergence.changed(row.payload);
      else convergence.passed(row.payload, row.basis, judgement.isBasis);
      const isMarked = !scan.isAdvancing || before >= scan.at;
      const isSame = convergence.isReached(seq < lastStatement);
      const isBehind = seq >= from && seq >= stream.dirtyThrough && this.#at >= items.length;
      if (isSame && isMarked && isBehind) {
        finish(false);
        return 'same';
      }
    }
    this.#itemsBelow(null, scan, convergence);
    finish(true);
    return scan;
  }

  *#rows(after: bigint, before: bigint | null): Generator<StoredMessage> {
    // Most scans end soon; a long scan reads more rows at a time.
    for (let at = after, size: PageSize = 'few'; ; size = 'many') {
      const page = this.#store.page(this.#of.stream, at, size);
      if (page.length === 0) return;
      for (const row of page) {
        if (before !== null && row.payload.seq >= before) return;
        yield row;
        at = row.payload.seq;
      }
    }
  }

  /** Yields new messages below `seq`, or all that remain. They are few: one batch. */
  #itemsBelow(seq: bigint | null, scan: StreamScan, convergence: Convergence): void {
    const { stream, items, context } = this.#of;
    for (let item = items[this.#at]; item; item = items[this.#at]) {
      if (seq !== null && item.admitted.payload.seq > seq) return;
      this.#at++;
      const judgement = scan.step(entryOf(item, this.#present.registryFetchedAtMs > item.receivedAtMs), context);
      this.#store.insert(stream, item, judgement, topOf(item.admitted.payload, scan), this.#effects);
      convergence.changed(item.admitted.payload);
    }
  }

  #step(row: StoredMessage, scan: StreamScan): Judgement {
    const { stream, meter, context } = this.#of;
    const entry = { ...row, registryIsNewer: this.#present.registryFetchedAtMs > row.receivedAtMs };
    const judgement = scan.step(entry, context);
    this.#store.rejudge(stream, row, judgement, topOf(row.payload, scan), meter, this.#effects);
    return judgement;
  }

  #goOnAt(seq: bigint): void {
    const { stream, items } = this.#of;
    stream.dirtyFrom = seq;
    for (const item of items.slice(this.#at)) {
      const pending = { verdict: refusedFor(Reason.predecessorPending), isBasis: false };
      this.#store.insert(stream, item, pending, null, this.#effects);
    }
  }

  /** Suspends rows that were not suspended; returns true when all are. */
  #suspendRows(from: bigint): boolean {
    const { stream, meter } = this.#of;
    const begin = stream.dirtyFrom !== null && stream.dirtyFrom > from ? stream.dirtyFrom : from;
    let last = -1n;
    for (const row of this.#rows(begin - 1n, null)) {
      const { seq } = row.payload;
      if (seq > stream.dirtyThrough) return true;
      // Messages of one seq are judged together, so a sweep pauses only between two seqs.
      if (this.#budget.left-- <= 0 && seq !== last) {
        stream.dirtyFrom = seq;
        return false;
      }
      last = seq;
      this.#store.rejudge(stream, row, suspended(row.contradicted), row.topWindow, meter, this.#effects);
    }
    return true;
  }
}

/** Returns a statement's highest window, with which the next scan begins. */
export function topOf(payload: Payload, scan: StreamScan): WindowOrNone | null {
  return payload.kind === Kind.statement ? scan.highestWindow : null;
}

export function entryOf(item: Item, registryIsNewer: boolean): Entry {
  const { payload, signed } = item.admitted;
  return { payload, signed, arrivedAtMs: item.arrivedAtMs, registryIsNewer, contradicted: item.contradicted };
}
