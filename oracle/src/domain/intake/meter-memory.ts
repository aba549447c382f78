import type { MeterId } from '@gridtokenx/protocol';
import type { MeterRecord } from '../ports.js';

/** How many forgotten meters are named; the others are counted. */
const MAX_NAMED = 3;

/**
 * Remembers which meters the registry has shown. A record is never deleted on chain, so a registry that lacks one has come
 * back older or empty. Then the last record stays in force.
 */
export class MeterMemory {
  readonly #known: Set<MeterId>;
  #meters: ReadonlyMap<MeterId, MeterRecord> = new Map();
  #forgotten: readonly MeterId[] = [];

  /** `known`: meters that an earlier run had, hex. */
  constructor(known: Iterable<MeterId> = []) {
    this.#known = new Set(known);
  }

  get meters(): ReadonlyMap<MeterId, MeterRecord> {
    return this.#meters;
  }
  /** Meters that the registry lacks and had. */
  get forgotten(): readonly MeterId[] {
    return this.#forgotten;
  }

  /** What is wrong, in words; null when the registry has all that it ever had. */
  get problem(): string | null {
    const count = this.#forgotten.length;
    if (count === 0) return null;
    const named = this.#forgotten.slice(0, MAX_NAMED).join(', ');
    const more = count > MAX_NAMED ? ` and ${count - MAX_NAMED} more` : '';
    return `the registry forgot ${count} of ${this.#known.size} meters (${named}${more}): is the chain an older or another one?`;
  }

  /** Takes a whole state of the registry. */
  take(records: readonly MeterRecord[]): void {
    const meters = new Map(records.map((record) => [record.meterId, record]));
    this.#forgotten = [...this.#known].filter((id) => !meters.has(id));
    for (const id of this.#forgotten) {
      const last = this.#meters.get(id);
      if (last) meters.set(id, last);
    }
    for (const { meterId } of records) this.#known.add(meterId);
    this.#meters = meters;
  }
}
