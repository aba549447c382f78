import { asMeterId, type MeterId, type Role } from '@gridtokenx/protocol';
import type { FeedRecord, MeterTags, RefusedRow } from '../../domain/live/ports.js';
import type { Database, Migration } from './database.js';

/**
 * In the ledger's own file: a ledger that comes back older from a backup brings an older cursor with it, and what the
 * server has already is written again, which changes nothing.
 */
export const influxMigrations: readonly Migration[] = [
  {
    name: 'influx-1',
    sql: `
CREATE TABLE series_feeds (id INTEGER PRIMARY KEY, target TEXT NOT NULL UNIQUE, cursor INTEGER NOT NULL) STRICT;
CREATE TABLE series_tags (
  feed INTEGER NOT NULL REFERENCES series_feeds(id), meter TEXT NOT NULL, zone INTEGER NOT NULL,
  role INTEGER NOT NULL, source INTEGER NOT NULL,
  PRIMARY KEY (feed, meter)
) STRICT, WITHOUT ROWID;
CREATE TABLE series_refused (
  id INTEGER PRIMARY KEY, feed INTEGER NOT NULL REFERENCES series_feeds(id), meter TEXT NOT NULL,
  time_ms INTEGER NOT NULL, seq TEXT NOT NULL, reason TEXT NOT NULL,
  UNIQUE (feed, meter, time_ms)
) STRICT;
`,
  },
];

/** Refused points are kept up to this number for each target; the readings themselves stay in the ledger. */
const KEPT_REFUSED = 100_000;
const MAX_KEPT_MS = Number.MAX_SAFE_INTEGER;

/** The record of one target ("url org bucket"): another target begins at 0. */
export class SqliteFeedRecord implements FeedRecord {
  readonly #database: Database;
  readonly #feed: number;
  readonly #sql;

  /** The database is migrated with `influxMigrations`. Throws when the disk fails. */
  constructor(database: Database, target: string) {
    this.#database = database;
    const { sqlite } = database;
    database.transaction(() =>
      sqlite.prepare('INSERT OR IGNORE INTO series_feeds (target, cursor) VALUES (?, 0)').run(target),
    );
    this.#feed = Number(sqlite.prepare('SELECT id FROM series_feeds WHERE target = ?').get(target)?.id);
    this.#sql = {
      cursor: sqlite.prepare('SELECT cursor FROM series_feeds WHERE id = ?'),
      advance: sqlite.prepare('UPDATE series_feeds SET cursor = ? WHERE id = ?'),
      refuse: sqlite.prepare(
        'INSERT OR REPLACE INTO series_refused (feed, meter, time_ms, seq, reason) VALUES (?, ?, ?, ?, ?)',
      ),
      prune: sqlite.prepare(
        'DELETE FROM series_refused WHERE feed = ? AND id <= (SELECT id FROM series_refused WHERE feed = ? ORDER BY id DESC LIMIT 1 OFFSET ?)',
      ),
      refused: sqlite.prepare('SELECT * FROM series_refused WHERE feed = ? ORDER BY id LIMIT ?'),
      tags: sqlite.prepare('SELECT * FROM series_tags WHERE feed = ?'),
      file: sqlite.prepare('INSERT OR REPLACE INTO series_tags VALUES (?, ?, ?, ?, ?)'),
    };
  }

  cursor(): number {
    return Number(this.#sql.cursor.get(this.#feed)?.cursor);
  }

  advance(through: number, refused: readonly RefusedRow[]): void {
    this.#database.transaction(() => {
      for (const { point, reason } of refused) {
        // A time may be the reason: what SQLite's integers do not hold is kept as the nearest that they do.
        const timeMs = Math.trunc(Math.max(-MAX_KEPT_MS, Math.min(MAX_KEPT_MS, point.timeMs || 0)));
        this.#sql.refuse.run(this.#feed, point.meterId, timeMs, String(point.seq), reason);
      }
      if (refused.length > 0) this.#sql.prune.run(this.#feed, this.#feed, KEPT_REFUSED);
      this.#sql.advance.run(through, this.#feed);
    });
  }

  tags(): ReadonlyMap<MeterId, MeterTags> {
    const rows = this.#sql.tags.all(this.#feed);
    return new Map(
      rows.map((row) => [
        asMeterId(String(row.meter)),
        { zone: Number(row.zone), role: Number(row.role) as Role, source: Number(row.source) },
      ]),
    );
  }

  fileUnder(meters: ReadonlyMap<MeterId, MeterTags>): void {
    this.#database.transaction(() => {
      for (const [meter, { zone, role, source }] of meters) this.#sql.file.run(this.#feed, meter, zone, role, source);
    });
  }

  /** The refused points that are kept, oldest first: for people who want to know what is missing, and why. */
  refused(limit: number): { meterId: MeterId; timeMs: number; seq: bigint; reason: string }[] {
    return this.#sql.refused.all(this.#feed, limit).map((row) => ({
      meterId: asMeterId(String(row.meter)),
      timeMs: Number(row.time_ms),
      seq: BigInt(String(row.seq)),
      reason: String(row.reason),
    }));
  }
}
