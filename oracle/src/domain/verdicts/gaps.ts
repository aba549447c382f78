import { EventCode, GapReason, Kind, type Payload } from '@gridtokenx/protocol';
import { IntervalSet } from './intervals.js';

/** Seqs that a key declared as never sent, both ends inclusive. */
export interface DeclaredGap {
  readonly first: bigint;
  readonly last: bigint;
  /** See `GapReason`; an unknown reason counts as its own kind of gap. */
  readonly reason: number;
}

/**
 * Returns the gap that an event declares, or null for every other payload [wire §9.5]. An event declares only seqs
 * below its own: a message cannot know that a later seq will not arrive.
 */
export function declaredGap(payload: Payload): DeclaredGap | null {
  if (payload.kind !== Kind.event || payload.code !== EventCode.gap || payload.detail === 0) return null;
  const first = payload.value === 0n ? 1n : payload.value;
  const end = payload.value + BigInt(payload.detail) - 1n;
  const last = end < payload.seq ? end : payload.seq - 1n;
  return last < first ? null : { first, last, reason: payload.data[0] ?? 0 };
}

/** Holds all gaps of one key: the knowledge about missing seqs. */
export class Gaps {
  readonly #unused = new IntervalSet();
  readonly #any = new IntervalSet();

  constructor(gaps: Iterable<DeclaredGap> = []) {
    for (const gap of gaps) this.add(gap);
  }

  add(gap: DeclaredGap): void {
    this.#any.add(gap.first, gap.last);
    if (gap.reason === GapReason.unused) this.#unused.add(gap.first, gap.last);
  }

  /** Returns true when the seq is declared, for any reason. */
  has(seq: bigint): boolean {
    return this.#any.has(seq);
  }

  /** Returns the last seq of the declared run that holds `seq`, or null. */
  endOf(seq: bigint): bigint | null {
    return this.#any.endOf(seq);
  }

  /**
   * Classifies a run of missing seqs. *nothing*: none of them was ever used (gap 1). *lost*: the highest that may have
   * been used is declared lost. *open*: that seq may still arrive.
   */
  between(first: bigint, last: bigint): 'nothing' | 'lost' | 'open' {
    const top = this.#unused.highestMissing(first, last);
    if (top === null) return 'nothing';
    return this.#any.has(top) ? 'lost' : 'open';
  }
}
