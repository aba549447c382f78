import { asMeterId, type MeterId } from '@gridtokenx/protocol';
import type { Registry } from '../../domain/ports.js';
import type { Database } from './database.js';

/**
 * Readings for the time series whose meter the registry does not show. They wait beside the outbox, so that they hold up
 * nobody, and go back into it when their meter is shown. Every method may throw when the disk fails.
 */
export class OutboxWaiting {
  readonly #database: Database;
  readonly #registry: Registry;
  readonly #sql;

  constructor(database: Database, registry: Registry) {
    this.#database = database;
    this.#registry = registry;
    const one = (text: string) => database.sqlite.prepare(text);
    this.#sql = {
      add: one('INSERT OR IGNORE INTO outbox_waiting (message, meter) VALUES (?, ?)'),
      drop: one('DELETE FROM outbox WHERE message = ?'),
      meters: one('SELECT DISTINCT meter FROM outbox_waiting'),
      of: one('SELECT message FROM outbox_waiting WHERE meter = ? ORDER BY message LIMIT ?'),
      back: one('INSERT INTO outbox (message) VALUES (?)'),
      remove: one('DELETE FROM outbox_waiting WHERE message = ?'),
    };
  }

  /** Takes them out of the outbox. */
  add(unknown: readonly { readonly message: number; readonly meter: MeterId }[]): void {
    if (unknown.length === 0) return;
    this.#database.transaction(() => {
      for (const { message, meter } of unknown) {
        this.#sql.add.run(message, meter);
        this.#sql.drop.run(message);
      }
    });
  }

  /** Puts back at most `limit` of each meter that is shown again. */
  bringBack(limit: number): void {
    const shown = this.#sql.meters.all().filter(({ meter }) => this.#registry.meter(asMeterId(String(meter))));
    if (shown.length === 0) return;
    this.#database.transaction(() => {
      for (const { meter } of shown) {
        for (const { message } of this.#sql.of.all(asMeterId(String(meter)), limit)) {
          this.#sql.back.run(Number(message));
          this.#sql.remove.run(Number(message));
        }
      }
    });
  }
}
