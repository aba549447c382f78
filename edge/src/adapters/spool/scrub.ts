import { GapReason, type MeterId } from '@gridtokenx/protocol';
import type { Disk, LostSeqs } from '../../domain/ports.js';
import type { SeqRuns } from '../../domain/seq-runs.js';
import type { Catalogue } from './catalogue.js';
import { fill } from './open-spool.js';
import { indexPath, type Segment } from './segment.js';
import type { SegmentCache } from './segment-cache.js';
import { encodeIndex } from './segment-index.js';

export interface ScrubberOptions {
  readonly disk: Disk;
  readonly catalogue: Catalogue;
  readonly cache: SegmentCache;
  /** Receives the seqs whose records are damaged. */
  readonly lost: (seqs: LostSeqs) => void;
}

/** Reads segments again, one for each call, and finds records that are damaged since [gateway §4.8]. */
export class Scrubber {
  readonly #options: ScrubberOptions;
  #last: Segment | null = null;

  constructor(options: ScrubberOptions) {
    this.#options = options;
  }

  /** Checks the next segment. Never rejects: a segment that cannot be read is checked again in its turn. */
  async next(): Promise<void> {
    const segments = this.#options.catalogue.segments();
    const segment = segments[(this.#last ? segments.indexOf(this.#last) : -1) + 1] ?? segments[0];
    this.#last = segment ?? null;
    if (segment) await this.check(segment);
  }

  /** Checks one segment, which may be the one that is written. Never rejects. */
  async check(segment: Segment): Promise<void> {
    const { disk, catalogue, cache } = this.#options;
    if (segment.isUnread) {
      // A length that the start could not read counts as none.
      const size = await disk.size(segment.path).catch(() => null);
      if (size === null) return;
      segment.bytes = size;
    }
    const length = segment.bytes;
    const bytes = await disk.readAt(segment.path, 0, length).catch(() => null);
    // It grew meanwhile, or trimming removed or rewrote it: the next turn checks it.
    if (segment.bytes !== length || !catalogue.segments().includes(segment)) return;
    const wasUnread = segment.isUnread;
    segment.isUnread = bytes === null;
    if (!bytes) return;
    cache.forget(segment);
    const found: Segment = { ...segment, runs: new Map() };
    fill(found, bytes, null);
    segment.isUnread = found.isUnread;
    if (wasUnread && !found.isUnread) this.#include(segment, found);
    const gone = absent(segment.runs, found.runs);
    if (gone.length === 0) return;
    for (const { meter, first, last } of gone) this.#lose(segment, meter, first, last);
    if (!segment.isOpen) await this.#storeIndex(segment);
  }

  /** Adds records of a segment that could not be read before. */
  #include(segment: Segment, { runs }: Segment): void {
    for (const [meter, own] of runs) {
      const known = segment.runs.get(meter);
      if (!known) segment.runs.set(meter, own);
      else for (const { first, last } of own) known.addRun(first, last);
    }
    this.#options.catalogue.include(segment);
  }

  #lose(segment: Segment, meter: MeterId, first: number, last: number): void {
    const { catalogue, lost } = this.#options;
    segment.runs.get(meter)?.removeRun(first, last);
    catalogue.forget(segment, meter, first, last);
    for (const gone of catalogue.runs(meter).missing(first, last))
      lost({ meterId: meter, first: BigInt(gone.first), last: BigInt(gone.last), reason: GapReason.damaged });
  }

  async #storeIndex(segment: Segment): Promise<void> {
    const { disk } = this.#options;
    await disk.remove(indexPath(segment)).catch(() => {});
    const size = await disk.size(segment.path).catch(() => null);
    // The index of a segment that became shorter would never be good: that segment is read at each start.
    if (size === segment.bytes) await disk.replace(indexPath(segment), encodeIndex(segment)).catch(() => {});
  }
}

/** Seqs that are in `known` and not in `found`. */
function absent(known: ReadonlyMap<MeterId, SeqRuns>, found: ReadonlyMap<MeterId, SeqRuns>) {
  const gone: { meter: MeterId; first: number; last: number }[] = [];
  for (const [meter, runs] of known) {
    const own = found.get(meter);
    for (const { first, last } of runs)
      for (const run of own ? own.missing(first, last) : [{ first, last }]) gone.push({ meter, ...run });
  }
  return gone;
}
