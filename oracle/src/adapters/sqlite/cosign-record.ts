import type { Commitment, CosignRecord, SignedBefore } from '../../domain/settlement/cosigning/ports.js';
import type { Database } from './database.js';

/** Records this attestor's signatures in the ledger's file; every method is one commit (synchronous FULL). */
export class SqliteCosignRecord implements CosignRecord {
  readonly #sqlite: Database['sqlite'];

  /** The database is migrated with `chainMigrations`. */
  constructor({ sqlite }: Database) {
    this.#sqlite = sqlite;
  }

  others({ zone, page, version, digest }: Commitment): SignedBefore[] {
    return this.#sqlite
      .prepare(
        `SELECT id, blockhash, last_valid_height FROM chain_cosigned
           WHERE zone = ? AND page = ? AND version = ? AND digest <> ? AND lapsed_ms IS NULL`,
      )
      .all(zone, page, version, digest)
      .map((row) => ({
        id: Number(row.id),
        blockhash: String(row.blockhash),
        lastValidHeight: Number(row.last_valid_height),
      }));
  }

  lapsed(id: number, nowMs: number): void {
    this.#sqlite.prepare('UPDATE chain_cosigned SET lapsed_ms = ? WHERE id = ?').run(nowMs, id);
  }

  add({ zone, page, version, digest, blockhash, lastValidHeight, leader }: Commitment, nowMs: number): void {
    this.#sqlite
      .prepare(
        `INSERT INTO chain_cosigned (zone, page, version, digest, blockhash, last_valid_height, leader, created_ms)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
      )
      .run(zone, page, version, digest, blockhash, lastValidHeight, leader, nowMs);
  }
}
