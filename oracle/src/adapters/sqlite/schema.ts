import type { Migration } from './database.js';

/**
 * The ledger's tables. A seq is u64, wider than SQLite's integers: 8 bytes big-endian, so that bytes sort as numbers.
 * Verdict 0 = verified, otherwise a reason's number. `arrived_ms` is of the clock that drives readings, `received_ms`
 * is real time.
 */
export const ledgerMigrations: readonly Migration[] = [
  {
    name: 'ledger-1',
    sql: `
CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
CREATE TABLE gateways (id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE) STRICT;
CREATE TABLE gateway_meters (
  gateway INTEGER NOT NULL REFERENCES gateways(id), meter TEXT NOT NULL, last_ms INTEGER NOT NULL,
  PRIMARY KEY (gateway, meter)
) STRICT;
CREATE INDEX gateway_of_meter ON gateway_meters (meter, last_ms);
CREATE TABLE streams (
  id INTEGER PRIMARY KEY, meter TEXT NOT NULL, key BLOB NOT NULL, suspended_from BLOB,
  stored_through BLOB NOT NULL, highest_seen BLOB NOT NULL, highest_window INTEGER NOT NULL,
  UNIQUE (meter, key)
) STRICT;
CREATE TABLE messages (
  id INTEGER PRIMARY KEY, stream INTEGER NOT NULL REFERENCES streams(id), seq BLOB NOT NULL, hash BLOB NOT NULL,
  bytes BLOB NOT NULL, kind INTEGER NOT NULL, window INTEGER, verdict INTEGER NOT NULL, settled INTEGER NOT NULL,
  basis INTEGER NOT NULL, contradicted INTEGER NOT NULL, arrived_ms INTEGER NOT NULL, received_ms INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX message_place ON messages (stream, seq, hash);
CREATE INDEX statement_window ON messages (stream, window) WHERE kind = 2;
CREATE INDEX verified_readings ON messages (stream, seq) WHERE kind = 1 AND verdict = 0;
CREATE INDEX refused_messages ON messages (stream, seq) WHERE verdict NOT IN (0, 9, 13, 17);
CREATE INDEX waiting_messages ON messages (stream, seq) WHERE settled = 0 AND verdict <> 9;
CREATE TABLE gaps (
  stream INTEGER NOT NULL REFERENCES streams(id), event_seq BLOB NOT NULL, first BLOB NOT NULL, last BLOB NOT NULL,
  reason INTEGER NOT NULL, PRIMARY KEY (stream, event_seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE rejects (
  id INTEGER PRIMARY KEY, gateway INTEGER NOT NULL REFERENCES gateways(id), hash BLOB NOT NULL, bytes BLOB NOT NULL,
  reason INTEGER NOT NULL, settled INTEGER NOT NULL, meter TEXT, seq BLOB, counted TEXT NOT NULL,
  arrived_ms INTEGER NOT NULL, received_ms INTEGER NOT NULL,
  UNIQUE (gateway, hash)
) STRICT;
CREATE INDEX waiting_rejects ON rejects (id) WHERE settled = 0;
CREATE TABLE counts (
  meter TEXT NOT NULL, kind INTEGER NOT NULL, verdict INTEGER NOT NULL, n INTEGER NOT NULL,
  PRIMARY KEY (meter, kind, verdict)
) STRICT, WITHOUT ROWID;
CREATE TABLE outbox (id INTEGER PRIMARY KEY AUTOINCREMENT, message INTEGER NOT NULL REFERENCES messages(id)) STRICT;
`,
  },
  {
    // Last window of a rotated key that the stream was judged with; null: in force.
    name: 'ledger-2',
    sql: 'ALTER TABLE streams ADD COLUMN last_window INTEGER',
  },
  {
    // Points that are known to be derived from two meters; statements that wait for what they are derived from.
    name: 'points-1',
    sql: `
CREATE TABLE points (meter TEXT PRIMARY KEY, production TEXT NOT NULL, consumption TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX pending_points ON messages (stream, seq) WHERE kind = 2 AND verdict = 9;
`,
  },
  {
    // Readings for the time series that cannot be written: of meters that the registry does not show, and refused ones.
    name: 'outbox-1',
    sql: `
CREATE TABLE outbox_waiting (message INTEGER PRIMARY KEY REFERENCES messages(id), meter TEXT NOT NULL) STRICT;
CREATE INDEX outbox_waiting_meter ON outbox_waiting (meter);
CREATE TABLE series_set_aside (
  id INTEGER PRIMARY KEY AUTOINCREMENT, meter TEXT NOT NULL, seq TEXT NOT NULL, time_ms TEXT NOT NULL,
  reason TEXT NOT NULL, UNIQUE (meter, seq)
) STRICT;
`,
  },
  {
    // Work for each message is bounded: where a stream is to be judged again, when what waits is due, what is left of a
    // key's allowance, and indexes by which nothing has to be searched for.
    name: 'bounded-1',
    sql: `
ALTER TABLE streams ADD COLUMN dirty_from BLOB;
ALTER TABLE streams ADD COLUMN dirty_through BLOB;
ALTER TABLE streams ADD COLUMN quota_left REAL;
ALTER TABLE streams ADD COLUMN quota_ms REAL;
ALTER TABLE messages ADD COLUMN due_ms INTEGER;
ALTER TABLE messages ADD COLUMN top_window INTEGER;
UPDATE messages SET due_ms = 0 WHERE verdict = 13;
UPDATE messages SET top_window = tops.top FROM (
  SELECT id, max(window) OVER (PARTITION BY stream ORDER BY seq, hash) AS top FROM messages WHERE kind = 2
) AS tops WHERE messages.id = tops.id;
CREATE INDEX dirty_streams ON streams (id) WHERE dirty_from IS NOT NULL;
CREATE INDEX due_messages ON messages (due_ms, stream, seq) WHERE due_ms IS NOT NULL;
CREATE INDEX due_of_stream ON messages (stream) WHERE due_ms IS NOT NULL;
CREATE INDEX statements_by_seq ON messages (stream, seq) WHERE kind = 2;
CREATE INDEX basis_messages ON messages (stream, kind, seq) WHERE basis = 1;
CREATE INDEX attestable_statements ON messages (stream, window, hash) WHERE kind = 2 AND verdict IN (0, 17);
CREATE INDEX waiting_for_registry ON messages (stream, seq) WHERE settled = 0 AND verdict IN (5, 14);
DROP INDEX waiting_messages;
CREATE INDEX waiting_by_reason ON rejects (reason, id) WHERE settled = 0;
CREATE INDEX unknown_meters ON rejects (meter, id) WHERE settled = 0 AND reason = 4;
`,
  },
];
