import type { SQLInputValue, StatementSync } from 'node:sqlite';
import {
  asMeterId,
  asWh,
  asWindow,
  BASE_UNITS_PER_WH,
  type MeterId,
  NO_WINDOW,
  type Wh,
  type Window,
  type WindowOrNone,
} from '@gridtokenx/protocol';
import type {
  ArchiveHead,
  AttestedTotals,
  AttestResult,
  Intent,
  NewIntent,
  SettlementStore,
} from '../../domain/settlement/ports.js';
import type { Database } from './database.js';
import { itemsToText, type Row, toIntent } from './settlement-rows.js';

/** Settlement's memory in the ledger's SQLite file; every method is one commit (synchronous FULL). */
export class SqliteSettlementStore implements SettlementStore {
  readonly #database: Database;
  readonly #statements = new Map<string, StatementSync>();

  constructor(database: Database) {
    this.#database = database;
  }

  /** Prepared once: a settler asks the same again with each step. */
  #prepared(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known) return known;
    const statement = this.#database.sqlite.prepare(sql);
    statement.setReadBigInts(true);
    this.#statements.set(sql, statement);
    return statement;
  }
  #run(sql: string, ...values: SQLInputValue[]): { changes: number; id: number } {
    const { changes, lastInsertRowid } = this.#prepared(sql).run(...values);
    return { changes: Number(changes), id: Number(lastInsertRowid) };
  }
  #all(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.#prepared(sql).all(...values) as Row[];
  }

  nonce(): number {
    const [row] = this.#all('SELECT coalesce(max(id), 0) + 1 AS next FROM chain_intents');
    return Number(row?.next ?? 1);
  }

  add(intent: NewIntent, nowMs: number): Intent {
    const { id } = this.#run(
      `INSERT INTO chain_intents (kind, zone, page, version, moves, history, expected_history, window, items, raw,
         signature, blockhash, last_valid_height, created_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      intent.kind,
      intent.zone,
      intent.page,
      intent.version,
      intent.moves,
      intent.history,
      intent.expectedHistory,
      intent.window,
      itemsToText(intent.items),
      intent.raw,
      intent.signature,
      intent.blockhash,
      intent.lastValidHeight,
      nowMs,
    );
    return { ...intent, id, createdAtMs: nowMs };
  }

  open(zone: number, page: number): Intent | undefined {
    const [row] = this.#all(`SELECT * FROM chain_intents WHERE zone = ? AND page = ? AND status = 'open'`, zone, page);
    return row && toIntent(row);
  }

  #resolve(intent: Intent, status: string, slot: number | null, error: string | null, nowMs: number): void {
    this.#run(
      'UPDATE chain_intents SET status = ?, slot = ?, error = ?, resolved_ms = ? WHERE id = ?',
      status,
      slot,
      error,
      nowMs,
      intent.id,
    );
  }

  attested(intent: Intent, result: AttestResult, nowMs: number): void {
    this.#database.transaction(() => {
      this.#resolve(intent, 'landed', result.slot, null, nowMs);
      const after: SQLInputValue[] = [result.version, result.history];
      this.#run('UPDATE chain_intents SET version_after = ?, history_after = ? WHERE id = ?', ...after, intent.id);
      const { version, history } = result;
      this.#setHead(intent.zone, intent.page, { version, history, moves: intent.moves });
      for (const item of result.accepted) {
        this.#run(
          `INSERT INTO chain_attested (intent, zone, page, meter, window, export_wh, import_wh, export_total,
             import_total) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
          intent.id,
          intent.zone,
          intent.page,
          item.meterId,
          intent.window,
          item.exportWh - item.before.exportWh,
          item.importWh - item.before.importWh,
          item.exportWh,
          item.importWh,
        );
      }
    });
  }

  minted(intent: Intent, slot: number, nowMs: number): void {
    this.#resolve(intent, 'landed', slot, null, nowMs);
  }
  failed(intent: Intent, slot: number, error: string, nowMs: number): void {
    this.#resolve(intent, 'failed', slot, error, nowMs);
  }
  expired(intent: Intent, nowMs: number): void {
    this.#resolve(intent, 'expired', null, null, nowMs);
  }
  superseded(intent: Intent, nowMs: number): void {
    this.#resolve(intent, 'superseded', null, null, nowMs);
  }

  head(zone: number, page: number): ArchiveHead | undefined {
    const [row] = this.#all('SELECT version, moves, history FROM chain_pages WHERE zone = ? AND page = ?', zone, page);
    if (!row) return undefined;
    return { version: row.version as bigint, moves: Number(row.moves), history: row.history as Uint8Array };
  }

  lastAttested(zone: number, page: number, meterId: MeterId): AttestedTotals | undefined {
    const [row] = this.#all(
      `SELECT window, export_total, import_total FROM chain_attested
         WHERE meter = ? AND zone = ? AND page = ? AND undone = 0 ORDER BY id DESC LIMIT 1`,
      meterId,
      zone,
      page,
    );
    if (!row) return undefined;
    return totalsOf(row);
  }

  observed(zone: number, page: number, head: ArchiveHead): void {
    this.#setHead(zone, page, head);
  }

  #setHead(zone: number, page: number, { version, moves, history }: ArchiveHead): void {
    this.#run(
      `INSERT INTO chain_pages (zone, page, version, moves, history) VALUES (?1, ?2, ?3, ?4, ?5)
       ON CONFLICT (zone, page) DO UPDATE SET version = ?3, moves = ?4, history = ?5`,
      zone,
      page,
      version,
      moves,
      history,
    );
  }

  /** True when the page still has everything that an attest_page put there. */
  #isThere(intent: SQLInputValue, covers: (meterId: MeterId, attested: AttestedTotals) => boolean): boolean {
    const rows = this.#all(
      'SELECT meter, window, export_total, import_total FROM chain_attested WHERE intent = ?',
      intent,
    );
    return rows.every((row) => covers(asMeterId(String(row.meter)), totalsOf(row)));
  }

  undoAfter(
    zone: number,
    page: number,
    read: ArchiveHead,
    nowMs: number,
    covers: (meterId: MeterId, attested: AttestedTotals) => boolean = () => false,
  ): string[] {
    return this.#database.transaction(() => {
      const lost = this.#all(
        `SELECT id, signature, version_after FROM chain_intents WHERE zone = ? AND page = ? AND status = 'landed' AND kind = 'attest'
           AND (version_after > ? OR (version_after = ? AND history_after <> ? AND moves >= ?)) ORDER BY id`,
        zone,
        page,
        read.version,
        read.version,
        read.history,
        read.moves,
      ).filter((row) => row.version_after !== read.version || !this.#isThere(row.id ?? null, covers));
      for (const { id } of lost) {
        this.#run(`UPDATE chain_intents SET status = 'undone', resolved_ms = ? WHERE id = ?`, nowMs, id ?? null);
        this.#run(
          `UPDATE chain_settlements SET undone = 1
             WHERE attested IN (SELECT id FROM chain_attested WHERE intent = ? AND undone = 0)`,
          id ?? null,
        );
        this.#run('UPDATE chain_attested SET undone = 1 WHERE intent = ?', id ?? null);
      }
      this.#setHead(zone, page, read);
      this.#run('UPDATE chain_pages SET catching_up = 1 WHERE zone = ? AND page = ?', zone, page);
      return lost.map(({ signature }) => String(signature));
    });
  }

  isCatchingUp(zone: number, page: number): boolean {
    const [row] = this.#all('SELECT catching_up FROM chain_pages WHERE zone = ? AND page = ?', zone, page);
    return row?.catching_up === 1n;
  }
  caughtUp(zone: number, page: number): void {
    this.#run('UPDATE chain_pages SET catching_up = 0 WHERE zone = ? AND page = ?', zone, page);
  }

  skippedThrough(meterId: MeterId): WindowOrNone {
    const [row] = this.#all('SELECT max(window) AS window FROM chain_skips WHERE meter = ?', meterId);
    return row?.window == null ? NO_WINDOW : asWindow(Number(row.window));
  }
  skip(meterId: MeterId, window: Window, reason: string, nowMs: number): void {
    this.#run(
      'INSERT OR REPLACE INTO chain_skips (meter, window, reason, at_ms) VALUES (?, ?, ?, ?)',
      meterId,
      window,
      reason,
      nowMs,
    );
  }

  settle(
    zone: number,
    page: number,
    minted: ReadonlyMap<MeterId, Wh>,
    mint: string | null,
    nowMs: number,
    closedAtMs: (window: Window) => number,
  ): number {
    const due = this.#all(
      `SELECT id, meter, window, export_wh, export_total FROM chain_attested
         WHERE zone = ? AND page = ? AND settlement IS NULL AND undone = 0 ORDER BY id`,
      zone,
      page,
    ).filter((row) => (minted.get(asMeterId(String(row.meter))) ?? -1n) >= (row.export_total as bigint));
    if (due.length === 0) return 0;
    this.#database.transaction(() => {
      for (const row of due) {
        const exportWh = row.export_wh as bigint;
        const { id } = this.#run(
          'INSERT INTO chain_settlements (attested, minted_base_units, mint, close_to_mint_ms) VALUES (?, ?, ?, ?)',
          row.id ?? null,
          exportWh * BASE_UNITS_PER_WH,
          exportWh > 0n ? mint : null,
          exportWh > 0n ? Math.max(0, Math.round(nowMs - closedAtMs(asWindow(Number(row.window))))) : null,
        );
        this.#run('UPDATE chain_attested SET settlement = ? WHERE id = ?', id, row.id ?? null);
      }
    });
    return due.length;
  }

  reopenUnminted(zone: number, page: number, minted: ReadonlyMap<MeterId, Wh>): number {
    let reopened = 0;
    for (const [meter, cursor] of minted) {
      const lost = this.#all(
        `SELECT id, settlement FROM chain_attested WHERE meter = ? AND zone = ? AND page = ? AND undone = 0
           AND settlement IS NOT NULL AND export_total > ? AND export_wh > 0`,
        meter,
        zone,
        page,
        cursor,
      );
      if (lost.length === 0) continue;
      this.#database.transaction(() => {
        for (const { id, settlement } of lost) {
          this.#run('UPDATE chain_settlements SET undone = 1 WHERE id = ?', settlement ?? null);
          this.#run('UPDATE chain_attested SET settlement = NULL WHERE id = ?', id ?? null);
        }
      });
      reopened += lost.length;
    }
    return reopened;
  }
}

function totalsOf({ window, export_total, import_total }: Row): AttestedTotals {
  return {
    window: asWindow(Number(window)),
    exportWh: asWh(export_total as bigint),
    importWh: asWh(import_total as bigint),
  };
}
