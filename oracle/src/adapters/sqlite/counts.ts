import type { CountPlace } from '../../domain/verdicts/ports.js';
import type { VerdictCode } from '../../domain/verdicts/verdict.js';

/** Verdicts have numbers below this one. */
const COUNT_KINDS = 256;

/** Counters by meter, kind and verdict that are not stored yet: a row for each counter, not one for each message. */
export class Counts {
  /** By meter, then by kind and verdict. */
  readonly #changes = new Map<CountPlace, Map<number, number>>();

  add(at: CountPlace, kind: number, verdict: VerdictCode, change: number): void {
    let counts = this.#changes.get(at);
    if (!counts) {
      counts = new Map();
      this.#changes.set(at, counts);
    }
    const place = kind * COUNT_KINDS + verdict;
    counts.set(place, (counts.get(place) ?? 0) + change);
  }

  /** Writes what was counted since the last call. */
  save(write: (at: CountPlace, kind: number, verdict: number, change: number) => void): void {
    for (const [at, counts] of this.#changes) {
      for (const [place, change] of counts) {
        if (change !== 0) write(at, Math.floor(place / COUNT_KINDS), place % COUNT_KINDS, change);
      }
    }
    this.forget();
  }

  forget(): void {
    this.#changes.clear();
  }
}
