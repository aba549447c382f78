import type { MeterId } from '@gridtokenx/protocol';
import { SeqRuns } from '../../domain/seq-runs.js';
import { addSeq, type Segment, type Stream } from './segment.js';

const NONE = new SeqRuns();
const ALL = Number.MAX_SAFE_INTEGER;

/** Knows which seqs of which meter lie in which segment, as runs: its size does not depend on the number of records. */
export class Catalogue {
  readonly #segments: Segment[] = [];
  /** Seqs of each meter over all segments. */
  readonly #all = new Map<MeterId, SeqRuns>();

  /** Segments of a stream, oldest first; of both streams where none is given. */
  segments(stream?: Stream): Segment[] {
    return stream ? this.#segments.filter((segment) => segment.stream === stream) : [...this.#segments];
  }
  last(stream: Stream): Segment | undefined {
    return this.#segments.findLast((segment) => segment.stream === stream);
  }
  get bytes(): number {
    return this.#segments.reduce((sum, { bytes }) => sum + bytes, 0);
  }
  runs(meter: MeterId): SeqRuns {
    return this.#all.get(meter) ?? NONE;
  }
  get meters(): MeterId[] {
    return [...this.#all.keys()];
  }

  /** Adds a segment with what it holds. */
  push(segment: Segment): void {
    this.#segments.push(segment);
    this.include(segment);
  }

  /** Counts what a segment holds again, after its content became known. */
  include(segment: Segment): void {
    for (const [meter, runs] of segment.runs) for (const { first, last } of runs) this.#of(meter).addRun(first, last);
  }

  /** Adds a record. */
  add(segment: Segment, meter: MeterId, seq: number): void {
    addSeq(segment, meter, seq);
    this.#of(meter).add(seq);
  }

  /** Exchanges what a segment holds. */
  replace(segment: Segment, runs: ReadonlyMap<MeterId, SeqRuns>, bytes: number): void {
    const before = new Map(segment.runs);
    segment.runs.clear();
    for (const [meter, own] of runs) segment.runs.set(meter, own);
    segment.bytes = bytes;
    for (const [meter, own] of before) for (const { first, last } of own) this.forget(segment, meter, first, last);
    this.include(segment);
  }

  /** Forgets a segment. */
  drop(segment: Segment): void {
    this.#segments.splice(this.#segments.indexOf(segment), 1);
    for (const [meter, runs] of segment.runs)
      for (const { first, last } of runs) this.forget(segment, meter, first, last);
  }

  /** Forgets records of a segment, unless another segment has a copy. */
  forget(segment: Segment, meter: MeterId, first: number, last: number): void {
    const all = this.#of(meter);
    all.removeRun(first, last);
    for (const other of this.#segments) {
      const runs = other === segment ? undefined : other.runs.get(meter);
      if (!runs || runs.highest < first || runs.lowest > last) continue;
      for (const run of runs.within(first, last)) all.addRun(run.first, run.last);
    }
    if (all.isEmpty) this.#all.delete(meter);
  }

  /** Segments that hold seqs of a meter from `first` to `last`, in the order written. */
  holders(meter: MeterId, first: number, last = ALL, only?: Stream): Segment[] {
    return this.#segments.filter(({ runs, stream }) => {
      if (only && stream !== only) return false;
      const own = runs.get(meter);
      return own !== undefined && own.highest >= first && own.lowest <= last && own.count(first, last) > 0;
    });
  }

  /** Returns the last of the first `limit` seqs of a meter from `first` on, of one stream or both; 0 for none. */
  lastOf(meter: MeterId, first: number, limit: number, only?: Stream): number {
    if (!only) return this.runs(meter).lastOf(first, limit);
    // Segments are read in their order until they hold enough: seqs of a meter rise from one to the next.
    const runs = new SeqRuns();
    for (const segment of this.holders(meter, first, ALL, only)) {
      for (const run of segment.runs.get(meter)?.within(first, ALL) ?? []) runs.addRun(run.first, run.last);
      if (runs.count(first, ALL) >= limit) break;
    }
    return runs.lastOf(first, limit);
  }

  /** Returns the seqs of a meter from `first` to `last` in one stream. */
  runsOf(meter: MeterId, first: number, last: number, only: Stream): SeqRuns {
    const runs = new SeqRuns();
    for (const segment of this.holders(meter, first, last, only))
      for (const run of segment.runs.get(meter)?.within(first, last) ?? []) runs.addRun(run.first, run.last);
    return runs;
  }

  #of(meter: MeterId): SeqRuns {
    let runs = this.#all.get(meter);
    if (!runs) {
      runs = new SeqRuns();
      this.#all.set(meter, runs);
    }
    return runs;
  }
}
