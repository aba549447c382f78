import type { RefusedRow, SetAside } from '../../domain/live/ports.js';
import type { Database } from './database.js';

/** Entries that are kept; the readings themselves stay in the ledger, and the counter goes on. */
const MAX_KEPT = 10_000;

/** Points that the embedded time series does not take, in the ledger's file. */
export class SqliteSetAside implements SetAside {
  readonly #database: Database;
  readonly #sql;

  constructor(database: Database) {
    this.#database = database;
    const one = (text: string) => database.sqlite.prepare(text);
    this.#sql = {
      add: one('INSERT OR REPLACE INTO series_set_aside (meter, seq, time_ms, reason) VALUES (?, ?, ?, ?)'),
      prune: one('DELETE FROM series_set_aside WHERE id <= (SELECT max(id) FROM series_set_aside) - ?'),
      count: one("SELECT seq AS n FROM sqlite_sequence WHERE name = 'series_set_aside'"),
    };
  }

  add(refused: readonly RefusedRow[]): void {
    this.#database.transaction(() => {
      for (const { point, reason } of refused) {
        this.#sql.add.run(point.meterId, String(point.seq), String(point.timeMs), reason);
      }
      this.#sql.prune.run(MAX_KEPT);
    });
  }

  count(): number {
    return Number(this.#sql.count.get()?.n ?? 0);
  }
}
