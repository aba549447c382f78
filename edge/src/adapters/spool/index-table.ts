import type { MeterId } from '@gridtokenx/protocol';
/** Where a committed record lies. */
export interface Entry {
  readonly seq: number;
  readonly segment: Segment;
  readonly offset: number;
  readonly length: number;
}

/** One append-only file. */
export interface Segment {
  readonly path: string;
  readonly stream: 'r' | 's';
  readonly number: number;
  bytes: number;
  /** Highest seq of each meter in it. */
  readonly highest: Map<MeterId, number>;
}

/**
 * Committed records of each meter in rising seq. Seqs are held as numbers: a jump of more than 2^32 is refused, so they
 * stay far below 2^53.
 */
export class IndexTable {
  readonly #meters = new Map<MeterId, Entry[]>();

  entries(meter: MeterId): readonly Entry[] {
    return this.#meters.get(meter) ?? [];
  }

  /** Adds a record; ignores a second copy of a seq (the first copy is the published one). */
  add(meter: MeterId, entry: Entry): void {
    const entries = this.#meters.get(meter) ?? [];
    this.#meters.set(meter, entries);
    const at =
      entries.length > 0 && (entries.at(-1)?.seq ?? 0) < entry.seq ? entries.length : lowerBound(entries, entry.seq);
    if (entries[at]?.seq === entry.seq) return;
    entries.splice(at, 0, entry);
    const { highest } = entry.segment;
    highest.set(meter, Math.max(highest.get(meter) ?? 0, entry.seq));
  }

  has(meter: MeterId, seq: number): boolean {
    const entries = this.entries(meter);
    return entries[lowerBound(entries, seq)]?.seq === seq;
  }

  /** Records with seq from `from` to `through`. */
  count(meter: MeterId, from: number, through: number): number {
    const entries = this.entries(meter);
    return Math.max(0, lowerBound(entries, through + 1) - lowerBound(entries, from));
  }

  slice(meter: MeterId, from: number, limit: number): Entry[] {
    const entries = this.entries(meter);
    const at = lowerBound(entries, from);
    return entries.slice(at, at + limit);
  }

  missing(meter: MeterId, from: number, through: number): { first: number; last: number }[] {
    const ranges: { first: number; last: number }[] = [];
    let next = from;
    const entries = this.entries(meter);
    for (let at = lowerBound(entries, from); at < entries.length && next <= through; at++) {
      const { seq } = entries[at] as Entry;
      if (seq > next) ranges.push({ first: next, last: Math.min(seq - 1, through) });
      next = seq + 1;
    }
    if (next <= through) ranges.push({ first: next, last: through });
    return ranges;
  }

  /** Forgets all records of a segment. */
  drop(segment: Segment): void {
    for (const [meter, entries] of this.#meters) {
      if (segment.highest.has(meter)) {
        this.#meters.set(
          meter,
          entries.filter((entry) => entry.segment !== segment),
        );
      }
    }
  }
}

/** Index of the first entry with seq >= `seq`. */
function lowerBound(entries: readonly Entry[], seq: number): number {
  let [low, high] = [0, entries.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((entries[middle]?.seq ?? 0) < seq) low = middle + 1;
    else high = middle;
  }
  return low;
}
