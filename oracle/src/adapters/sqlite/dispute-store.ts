import type { SQLInputValue } from 'node:sqlite';
import { asMeterId } from '@gridtokenx/protocol';
import type {
  DisputeEnd,
  DisputeIntent,
  DisputeKind,
  DisputeStore,
  NewDisputeIntent,
} from '../../domain/settlement/disputes/ports.js';
import type { Database, Migration } from './database.js';

/** Stores transactions for disputes and out-of-step slots in the ledger's file. Deletes nothing. */
export const disputeMigrations: readonly Migration[] = [
  {
    name: 'disputes-1',
    sql: `
      CREATE TABLE dispute_intents (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        kind TEXT NOT NULL CHECK (kind IN ('answer', 'conclude', 'sync')),
        zone INTEGER NOT NULL,
        page INTEGER NOT NULL,
        slot INTEGER NOT NULL,
        meter TEXT NOT NULL,
        number INTEGER NOT NULL,
        raw BLOB NOT NULL,
        signature TEXT NOT NULL UNIQUE,
        blockhash TEXT NOT NULL,
        last_valid_height INTEGER NOT NULL,
        created_ms INTEGER NOT NULL,
        status TEXT NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'landed', 'failed', 'expired')),
        error TEXT,
        resolved_ms INTEGER
      ) STRICT;
      CREATE UNIQUE INDEX dispute_intents_open ON dispute_intents (zone, page) WHERE status = 'open';
    `,
  },
];

/** Memory of disputes in the ledger's SQLite file; every method is one commit (synchronous FULL). */
export class SqliteDisputeStore implements DisputeStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  #get(sql: string, ...values: SQLInputValue[]): Record<string, unknown> | undefined {
    return this.#database.sqlite.prepare(sql).get(...values);
  }

  nonce(): number {
    return Number(this.#get('SELECT coalesce(max(id), 0) + 1 AS next FROM dispute_intents')?.next ?? 1);
  }

  add(intent: NewDisputeIntent, nowMs: number): DisputeIntent {
    const { kind, zone, page, slot, meterId, number, raw, signature, blockhash, lastValidHeight } = intent;
    const { lastInsertRowid } = this.#database.sqlite
      .prepare(
        `INSERT INTO dispute_intents (kind, zone, page, slot, meter, number, raw, signature, blockhash,
           last_valid_height, created_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      )
      .run(kind, zone, page, slot, meterId, number, raw, signature, blockhash, lastValidHeight, nowMs);
    return { ...intent, id: Number(lastInsertRowid), createdAtMs: nowMs };
  }

  open(zone: number, page: number): DisputeIntent | undefined {
    const row = this.#get("SELECT * FROM dispute_intents WHERE zone = ? AND page = ? AND status = 'open'", zone, page);
    if (!row) return undefined;
    return {
      id: Number(row.id),
      kind: String(row.kind) as DisputeKind,
      zone,
      page,
      slot: Number(row.slot),
      meterId: asMeterId(String(row.meter)),
      number: Number(row.number),
      raw: row.raw as Uint8Array,
      signature: String(row.signature),
      blockhash: String(row.blockhash),
      lastValidHeight: Number(row.last_valid_height),
      createdAtMs: Number(row.created_ms),
    };
  }

  end(intent: DisputeIntent, end: DisputeEnd, error: string | null, nowMs: number): void {
    this.#database.sqlite
      .prepare('UPDATE dispute_intents SET status = ?, error = ?, resolved_ms = ? WHERE id = ?')
      .run(end, error, nowMs, intent.id);
  }
}
