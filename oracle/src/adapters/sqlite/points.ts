import type { DatabaseSync } from 'node:sqlite';
import {
  goodPairs,
  isAttestable,
  Kind,
  type MeterId,
  NO_WINDOW,
  type PointInput,
  type Window,
  type WindowOrNone,
} from '@gridtokenx/protocol';
import { type PointWitness, SiteIndex, type Witnessed } from '../../domain/points/points.js';
import type { MeterRecord, Registry } from '../../domain/ports.js';
import type { Judging } from '../../domain/verdicts/judging.js';
import type { DerivedPoints, StoredStream } from '../../domain/verdicts/ports.js';
import { isAccepted } from '../../domain/verdicts/verdict.js';
import { ACCEPTED, PENDING, STATEMENT } from './codes.js';
import { blobSeq, messageRow } from './rows.js';

type Raw = Record<string, unknown>;

/**
 * Derived points in the ledger: which meters of the registry they are derived from, and what the stored chains of those
 * say. Every method may throw when the disk fails; after a rollback `forget` is called.
 */
export class Points implements DerivedPoints {
  readonly #newFolds: Judging['newFolds'];
  readonly #registry: Registry;
  readonly #sites = new SiteIndex();
  readonly #sql;
  #state = '';

  constructor(sqlite: DatabaseSync, registry: Registry, { newFolds }: Pick<Judging, 'newFolds'>) {
    this.#newFolds = newFolds;
    this.#registry = registry;
    const statements = `SELECT m.*, s.stored_through FROM streams s JOIN messages m ON m.stream = s.id AND m.kind = ${STATEMENT} WHERE s.meter = ?`;
    this.#sql = {
      known: sqlite.prepare('SELECT 1 FROM points WHERE meter = ?'),
      add: sqlite.prepare('INSERT INTO points (meter, production, consumption) VALUES (?, ?, ?)'),
      at: sqlite.prepare(`${statements} AND m.window = ? ORDER BY m.hash`),
      after: sqlite.prepare(
        `${statements} AND m.window > ? AND m.verdict IN ${ACCEPTED} AND m.seq <= s.stored_through LIMIT 1`,
      ),
      between: sqlite.prepare(
        `${statements} AND m.window >= ? AND m.window <= ? AND m.verdict IN ${ACCEPTED} ORDER BY m.window, m.hash`,
      ),
      pendingFrom: sqlite.prepare(
        `SELECT min(seq) AS seq FROM messages WHERE stream = ? AND kind = ${STATEMENT} AND verdict = ${PENDING}`,
      ),
      windowFrom: sqlite.prepare(
        `SELECT min(seq) AS seq FROM messages WHERE stream = ? AND kind = ${STATEMENT} AND window >= ?`,
      ),
    };
  }

  /** Looks at the registry where it changed; the points that were not known to be derived. Inside a transaction. */
  sync(): MeterId[] {
    const { chainSlot, fetchedAtMs } = this.#registry.asOf;
    const state = `${chainSlot}/${fetchedAtMs}`;
    if (state === this.#state) return [];
    this.#sites.update(this.#registry.meters());
    const fresh: MeterId[] = [];
    for (const [meter, { production, consumption }] of this.#sites.derived) {
      if (this.#sql.known.get(meter)) continue;
      this.#sql.add.run(meter, production, consumption);
      fresh.push(meter);
    }
    this.#state = state;
    return fresh;
  }

  /** To be called when a transaction was rolled back. */
  forget(): void {
    this.#state = '';
  }

  pointsOf(meterId: MeterId): readonly MeterId[] {
    return this.#sites.pointsOf(meterId);
  }

  /** Lowest seq of a point's statement that is judged by what changed; null: none. */
  affectedFrom(stream: StoredStream, window: Window | null): bigint | null {
    const seqs = [this.#sql.pendingFrom.get(stream.id)];
    if (window !== null) seqs.push(this.#sql.windowFrom.get(stream.id, window));
    const found = seqs.flatMap((row) => (row?.seq ? [blobSeq(row.seq as Uint8Array)] : []));
    return found.reduce<bigint | null>((least, seq) => (least === null || seq < least ? seq : least), null);
  }

  /** Returns the evidence for a derived point's statements; undefined for a meter that is no derived point. */
  witnessOf({ meterId }: MeterRecord): PointWitness | undefined {
    const parents = this.#sites.derived.get(meterId);
    if (!parents) return undefined;
    const { production, consumption } = parents;
    return {
      folds: this.#newFolds(),
      production: (window) => this.#witnessed(production, window),
      consumption: (window) => this.#witnessed(consumption, window),
      pairs: (from, through) =>
        goodPairs(this.#between(production, from, through), this.#between(consumption, from, through)),
    };
  }

  #witnessed(meterId: MeterId, window: Window): Witnessed {
    const rows = this.#sql.at.all(meterId, window);
    for (const row of rows) {
      const input = goodInput(row);
      if (input) return { input, isComplete: compare(row.seq, row.stored_through) <= 0 };
    }
    const isSettled = rows.length > 0 && rows.every((row) => row.settled === 1);
    return isSettled || this.#sql.after.get(meterId, window) ? 'never' : 'open';
  }

  /** One good statement for each window: where two keys stated it, the one that settlement takes too. */
  *#between(meterId: MeterId, from: Window, through: Window): Generator<PointInput> {
    let last: WindowOrNone = NO_WINDOW;
    for (const row of this.#sql.between.all(meterId, from, through)) {
      const input = goodInput(row);
      if (!input || input.window === last) continue;
      last = input.window;
      yield input;
    }
  }
}

function goodInput(row: Raw): PointInput | null {
  const { payload, verdict } = messageRow(row);
  if (payload.kind !== Kind.statement || !isAccepted(verdict) || !isAttestable(payload.quality)) return null;
  return payload;
}

/** Seqs as they are stored. */
function compare(a: unknown, b: unknown): number {
  return Buffer.compare(a as Uint8Array, b as Uint8Array);
}
