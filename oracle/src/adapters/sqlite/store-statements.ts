import type { DatabaseSync } from 'node:sqlite';
import { MAX_AT_SEQ, MAX_CONTRADICTIONS, MAX_DIRTY, MAX_PLACES, type PageSize } from '../../domain/verdicts/ports.js';
import { MAX_RUN } from '../../domain/verdicts/scan.js';
import { LINKED_KINDS, STATEMENT, WAITS_FOR_REGISTRY } from './codes.js';

// A bound LIMIT makes SQLite prepare the statement anew each time: they are part of the text.
/** Rows that are read at a time. */
export const PAGES: Readonly<Record<PageSize, number>> = { few: 16, many: 256 };

/** The statements over streams and messages, prepared once. */
export function storeStatements(sqlite: DatabaseSync) {
  const one = (text: string) => sqlite.prepare(text);
  return {
    stream: one('SELECT * FROM streams WHERE meter = ? AND key = ?'),
    streamById: one('SELECT * FROM streams WHERE id = ?'),
    makeStream: one(
      "INSERT INTO streams (meter, key, stored_through, highest_seen, highest_window) VALUES (?, ?, x'0000000000000000', x'0000000000000000', 0)",
    ),
    saveStream: one(
      'UPDATE streams SET suspended_from = ?, stored_through = ?, highest_seen = ?, highest_window = ?, last_window = ?, dirty_from = ?, dirty_through = ?, quota_left = ?, quota_ms = ? WHERE id = ?',
    ),
    exists: one('SELECT 1 FROM messages WHERE stream = ? AND seq = ? AND hash = ?'),
    atSeq: one(`SELECT id, seq, contradicted FROM messages WHERE stream = ? AND seq = ? LIMIT ${MAX_AT_SEQ}`),
    atWindow: one(
      `SELECT id, seq, contradicted FROM messages WHERE stream = ? AND kind = ${STATEMENT} AND window = ? LIMIT ${MAX_CONTRADICTIONS}`,
    ),
    byId: one('SELECT * FROM messages WHERE id = ?'),
    contradict: one('UPDATE messages SET contradicted = 1 WHERE id = ?'),
    insert: one(
      'INSERT INTO messages (stream, seq, hash, bytes, kind, window, verdict, settled, basis, contradicted, arrived_ms, received_ms, due_ms, top_window) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
    ),
    judge: one('UPDATE messages SET verdict = ?, settled = ?, basis = ?, due_ms = ?, top_window = ? WHERE id = ?'),
    few: one(`SELECT * FROM messages WHERE stream = ? AND seq > ? ORDER BY seq LIMIT ${PAGES.few}`),
    many: one(`SELECT * FROM messages WHERE stream = ? AND seq > ? ORDER BY seq LIMIT ${PAGES.many}`),
    at: one('SELECT * FROM messages WHERE stream = ? AND seq = ?'),
    highest: one('SELECT seq FROM messages WHERE stream = ? AND seq < ? ORDER BY seq DESC LIMIT 1'),
    run: one(
      `SELECT count(*) AS n FROM (SELECT 1 FROM messages WHERE stream = ? AND seq > ? AND seq < ? LIMIT ${MAX_RUN + 1})`,
    ),
    statementBelow: one(
      `SELECT seq, top_window FROM messages WHERE stream = ? AND kind = ${STATEMENT} AND seq < ? ORDER BY seq DESC LIMIT 1`,
    ),
    lastStatement: one(`SELECT seq FROM messages WHERE stream = ? AND kind = ${STATEMENT} ORDER BY seq DESC LIMIT 1`),
    basisBelow: one(
      'SELECT * FROM messages WHERE stream = ? AND kind = ? AND basis = 1 AND seq <= ? ORDER BY seq DESC LIMIT 1',
    ),
    linkBelow: one(
      `SELECT * FROM messages WHERE stream = ? AND kind IN ${LINKED_KINDS} AND seq <= ? ORDER BY seq DESC LIMIT 1`,
    ),
    seqsBetween: one('SELECT seq FROM messages WHERE stream = ? AND seq > ? AND seq <= ? ORDER BY seq'),
    gaps: one('SELECT first, last, reason FROM gaps WHERE stream = ?'),
    gapsFrom: one('SELECT first FROM gaps WHERE stream = ? AND event_seq >= ?'),
    dropGaps: one('DELETE FROM gaps WHERE stream = ? AND event_seq >= ?'),
    addGap: one('INSERT OR REPLACE INTO gaps (stream, event_seq, first, last, reason) VALUES (?, ?, ?, ?, ?)'),
    count: one(
      'INSERT INTO counts (meter, kind, verdict, n) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET n = n + excluded.n',
    ),
    outbox: one('INSERT INTO outbox (message) VALUES (?)'),
    due: one(
      `SELECT stream, seq FROM messages WHERE due_ms IS NOT NULL AND due_ms <= ? ORDER BY due_ms LIMIT ${MAX_PLACES}`,
    ),
    dueOf: one('SELECT count(*) AS n FROM messages WHERE stream = ? AND due_ms IS NOT NULL'),
    forRegistry: one(
      `SELECT stream, min(seq) AS seq, max(seq) AS last FROM messages WHERE settled = 0 AND verdict IN ${WAITS_FOR_REGISTRY} AND received_ms < ? GROUP BY stream LIMIT ${MAX_PLACES}`,
    ),
    gatewaysOf: one('SELECT g.key FROM gateway_meters m JOIN gateways g ON g.id = m.gateway WHERE m.meter = ?'),
    dirty: one(`SELECT id FROM streams WHERE dirty_from IS NOT NULL AND id > ? ORDER BY id LIMIT ${MAX_DIRTY}`),
  };
}

export type StoreStatements = ReturnType<typeof storeStatements>;
