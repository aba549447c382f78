import type { Migration } from './database.js';

/**
 * Settlement's tables in the ledger's file [settlement §9]. Chain numbers are INTEGER (below 2^63); hashes and bytes
 * are BLOB. Nothing is deleted: what a rolled-back chain lost is marked undone.
 */
export const chainMigrations: readonly Migration[] = [
  {
    name: 'chain-1',
    sql: `
      CREATE TABLE chain_intents (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        kind TEXT NOT NULL CHECK (kind IN ('attest', 'mint_page', 'mint_meter')),
        zone INTEGER NOT NULL,
        page INTEGER NOT NULL,
        version INTEGER NOT NULL,
        moves INTEGER NOT NULL,
        history BLOB NOT NULL,
        expected_history BLOB,
        window INTEGER,
        items TEXT NOT NULL,
        raw BLOB NOT NULL,
        signature TEXT NOT NULL UNIQUE,
        blockhash TEXT NOT NULL,
        last_valid_height INTEGER NOT NULL,
        created_ms INTEGER NOT NULL,
        status TEXT NOT NULL DEFAULT 'open'
          CHECK (status IN ('open', 'landed', 'failed', 'expired', 'superseded', 'undone')),
        slot INTEGER,
        resolved_ms INTEGER,
        error TEXT,
        version_after INTEGER,
        history_after BLOB
      ) STRICT;
      CREATE UNIQUE INDEX chain_intents_open ON chain_intents (zone, page) WHERE status = 'open';
      CREATE INDEX chain_intents_page ON chain_intents (zone, page, version_after);

      CREATE TABLE chain_pages (
        zone INTEGER NOT NULL,
        page INTEGER NOT NULL,
        version INTEGER NOT NULL,
        moves INTEGER NOT NULL,
        history BLOB NOT NULL,
        catching_up INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (zone, page)
      ) STRICT;

      CREATE TABLE chain_attested (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        intent INTEGER NOT NULL REFERENCES chain_intents (id),
        zone INTEGER NOT NULL,
        page INTEGER NOT NULL,
        meter TEXT NOT NULL,
        window INTEGER NOT NULL,
        export_wh INTEGER NOT NULL,
        import_wh INTEGER NOT NULL,
        export_total INTEGER NOT NULL,
        import_total INTEGER NOT NULL,
        settlement INTEGER,
        undone INTEGER NOT NULL DEFAULT 0
      ) STRICT;
      CREATE INDEX chain_attested_meter ON chain_attested (meter, id);
      CREATE INDEX chain_attested_page ON chain_attested (zone, page, id) WHERE settlement IS NULL AND undone = 0;
      CREATE INDEX chain_attested_intent ON chain_attested (intent);

      CREATE TABLE chain_settlements (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        attested INTEGER NOT NULL REFERENCES chain_attested (id),
        minted_base_units INTEGER NOT NULL,
        mint TEXT,
        close_to_mint_ms INTEGER,
        undone INTEGER NOT NULL DEFAULT 0
      ) STRICT;
      CREATE INDEX chain_settlements_attested ON chain_settlements (attested);

      CREATE TABLE chain_skips (
        meter TEXT NOT NULL,
        window INTEGER NOT NULL,
        reason TEXT NOT NULL,
        at_ms INTEGER NOT NULL,
        PRIMARY KEY (meter, window)
      ) STRICT;
    `,
  },
  {
    // Years of windows must not make a step slower: these find the few rows that a rollback concerns.
    name: 'chain-2',
    sql: `
      CREATE INDEX chain_attested_minted ON chain_attested (meter, export_total)
        WHERE undone = 0 AND settlement IS NOT NULL AND export_wh > 0;
      CREATE INDEX chain_intents_undone ON chain_intents (id) WHERE status = 'undone';
    `,
  },
  {
    // Records each proposal that this attestor signed, whoever sends it; stored before the signature leaves.
    name: 'chain-3',
    sql: `
      CREATE TABLE chain_cosigned (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        zone INTEGER NOT NULL,
        page INTEGER NOT NULL,
        version INTEGER NOT NULL,
        digest BLOB NOT NULL,
        blockhash TEXT NOT NULL,
        last_valid_height INTEGER NOT NULL,
        leader TEXT NOT NULL,
        created_ms INTEGER NOT NULL,
        lapsed_ms INTEGER
      ) STRICT;
      CREATE INDEX chain_cosigned_version ON chain_cosigned (zone, page, version) WHERE lapsed_ms IS NULL;
    `,
  },
];
