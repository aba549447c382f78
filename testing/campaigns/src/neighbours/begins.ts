import { Kind, type Payload } from '@gridtokenx/protocol';
import { dueAtMs } from '#oracle/domain/verdicts/limits.js';
import { MAX_RUN } from '#oracle/domain/verdicts/scan.js';

/** Interval after which waiting messages are judged again, real ms: one scan covers all due by then. */
const LOOK_MS = 1_000;

interface Range {
  low: bigint;
  high: bigint;
}

/**
 * Counts the steps that one key makes necessary beyond its messages. A message is judged from the last statement below
 * it on when it arrives below others, or when its time comes. That takes at most `MAX_RUN` messages further down
 * (docs/architecture.md, "What one home can cost the oracle"). A scan that continues above it does not count: nothing
 * differs there.
 */
export class Begins {
  /** By seq: true for statements. */
  readonly #sent = new Map<bigint, boolean>();
  readonly #late: Range[] = [];
  /** Ranges by the number of the interval in which they are due. */
  readonly #due = new Map<number, Range>();
  #highest = 0n;

  /**
   * Takes a key's messages of one packet; `realMsOf` returns when the clock that drives readings reaches an instant.
   */
  note(packet: readonly Payload[], nowMs: number, realMsOf: (readingMs: number) => number): void {
    let late: Range | null = null;
    for (const payload of packet) {
      const { seq } = payload;
      if (this.#sent.has(seq)) continue;
      this.#sent.set(seq, payload.kind === Kind.statement);
      if (seq < this.#highest) late = widened(late, seq);
      const due = dueAtMs(payload);
      if (due === null || realMsOf(due) <= nowMs) continue;
      const look = Math.ceil(realMsOf(due) / LOOK_MS);
      this.#due.set(look, widened(this.#due.get(look) ?? null, seq));
    }
    if (late) this.#late.push(late);
    for (const { seq } of packet) if (seq > this.#highest) this.#highest = seq;
  }

  /** Returns the steps for all late messages, and all whose time came by `endAtMs`. */
  steps(endAtMs: number): number {
    const seqs = [...this.#sent.keys()].sort((a, b) => (a < b ? -1 : 1));
    const due = [...this.#due].flatMap(([look, range]) => (look * LOOK_MS <= endAtMs + LOOK_MS ? [range] : []));
    return [...this.#late, ...due].reduce((sum, range) => sum + this.#stepsOf(range, seqs), 0);
  }

  #stepsOf({ low, high }: Range, seqs: readonly bigint[]): number {
    const at = seqs.indexOf(low);
    let back = 0;
    while (back < MAX_RUN && back < at && !this.#sent.get(seqs[at - back - 1] as bigint)) back++;
    return back + seqs.indexOf(high) - at + 1;
  }
}

function widened(range: Range | null, seq: bigint): Range {
  if (!range) return { low: seq, high: seq };
  return { low: seq < range.low ? seq : range.low, high: seq > range.high ? seq : range.high };
}
