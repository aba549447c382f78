import type { MeterId } from '@gridtokenx/protocol';
import type { MeterRecord } from '../ports.js';

/** Number of forgotten meters that are named; the others are only counted. */
const MAX_NAMED = 3;

/**
 * Remembers the meters that the registry has shown. The chain never deletes a record, so a registry that lacks one is
 * older or empty. Then the last record stays in force.
 */
export class MeterMemory {
  readonly #known: Set<MeterId>;
  #meters: ReadonlyMap<MeterId, MeterRecord> = new Map();
  #forgotten: readonly MeterId[] = [];

  /** `known`: meters that an earlier run knew, hex. */
  constructor(known: Iterable<MeterId> = []) {
    this.#known = new Set(known);
  }

  get meters(): ReadonlyMap<MeterId, MeterRecord> {
    return this.#meters;
  }
  /** Meters that the registry once showed and now lacks. */
  get forgotten(): readonly MeterId[] {
    return this.#forgotten;
  }

  /** Returns the problem in words; null when the registry shows every meter that it ever showed. */
  get problem(): string | null {
    const count = this.#forgotten.length;
    if (count === 0) return null;
    const named = this.#forgotten.slice(0, MAX_NAMED).join(', ');
    const more = count > MAX_NAMED ? ` and ${count - MAX_NAMED} more` : '';
    return `the registry forgot ${count} of ${this.#known.size} meters (${named}${more}): is the chain an older or another one?`;
  }

  /** Takes a complete state of the registry. */
  update(records: readonly MeterRecord[]): void {
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
