import type { SQLInputValue } from 'node:sqlite';
import { asBaseUnits, asMeterId, asWh, asWindow, baseUnitsOf, type MeterId } from '@gridtokenx/protocol';
import type { ChainTotals, Settlement } from '../../domain/live/ports.js';
import type { SettlementArchive, Skip } from '../../domain/settlement/ports.js';
import type { Database } from './database.js';

type Row = Record<string, SQLInputValue>;

/** Reads settlements for people from the ledger's file. Every method throws when the disk fails. */
export class SqliteSettlementArchive implements SettlementArchive {
  readonly #sqlite: Database['sqlite'];

  /** The database is migrated with `chainMigrations`. */
  constructor({ sqlite }: Database) {
    this.#sqlite = sqlite;
  }

  #all(sql: string, ...values: SQLInputValue[]): Row[] {
    const statement = this.#sqlite.prepare(sql);
    statement.setReadBigInts(true);
    return statement.all(...values) as Row[];
  }

  after(id: number, limit: number): Settlement[] {
    return this.#all(
      `SELECT s.id, a.meter, a.window, a.export_wh, a.import_wh, s.minted_base_units, i.signature, s.mint,
              s.close_to_mint_ms, s.undone
         FROM chain_settlements s JOIN chain_attested a ON a.id = s.attested JOIN chain_intents i ON i.id = a.intent
         WHERE s.id > ? ORDER BY s.id LIMIT ?`,
      id,
      limit,
    ).map((row) => ({
      id: Number(row.id),
      meterId: asMeterId(String(row.meter)),
      window: asWindow(Number(row.window)),
      exportWh: asWh(row.export_wh as bigint),
      importWh: asWh(row.import_wh as bigint),
      mintedBaseUnits: asBaseUnits(row.minted_base_units as bigint),
      attest: String(row.signature),
      mint: row.mint === null ? null : String(row.mint),
      closeToMintMs: row.close_to_mint_ms === null ? null : Number(row.close_to_mint_ms),
      undone: row.undone === 1n,
    }));
  }

  lastTotals(meterId: MeterId): Omit<ChainTotals, 'transactions'> | undefined {
    const [row] = this.#all(
      `SELECT window, import_total, export_total,
              (SELECT coalesce(max(b.export_total), 0) FROM chain_attested b
                 WHERE b.meter = a.meter AND b.undone = 0 AND b.settlement IS NOT NULL) AS minted
         FROM chain_attested a WHERE meter = ? AND undone = 0 ORDER BY id DESC LIMIT 1`,
      meterId,
    );
    if (!row) return undefined;
    return {
      window: asWindow(Number(row.window)),
      importWh: asWh(row.import_total as bigint),
      exportWh: asWh(row.export_total as bigint),
      mintedBaseUnits: baseUnitsOf(asWh(row.minted as bigint)),
    };
  }

  transactions(meterId: MeterId, limit: number): string[] {
    const rows = this.#all(
      `SELECT i.signature, s.mint FROM chain_attested a JOIN chain_intents i ON i.id = a.intent
         LEFT JOIN chain_settlements s ON s.id = a.settlement
         WHERE a.meter = ? AND a.undone = 0 ORDER BY a.id DESC LIMIT ?`,
      meterId,
      limit,
    ).reverse();
    const signatures = rows.flatMap(({ signature, mint }) =>
      mint ? [String(signature), String(mint)] : [String(signature)],
    );
    return [...new Set(signatures)].slice(-limit);
  }

  skips(limit: number): Skip[] {
    const rows = this.#all(`SELECT meter, window, reason FROM chain_skips ORDER BY at_ms DESC LIMIT ?`, limit);
    return rows.map(({ meter, window, reason }) => ({
      meterId: asMeterId(String(meter)),
      window: asWindow(Number(window)),
      reason: String(reason),
    }));
  }

  undoneCount(): number {
    const [row] = this.#all(`SELECT count(*) AS count FROM chain_intents WHERE status = 'undone'`);
    return Number(row?.count ?? 0);
  }
}
