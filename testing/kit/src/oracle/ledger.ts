import { type MeterId, toHex } from '@gridtokenx/protocol';
import { provedVerifier } from '@gridtokenx/runtime/node/sodium';
import type { Database } from '#oracle/adapters/sqlite/database.js';
import { openDatabase } from '#oracle/adapters/sqlite/database.js';
import { SqliteLedger } from '#oracle/adapters/sqlite/ledger.js';
import { ledgerMigrations } from '#oracle/adapters/sqlite/schema.js';
import { SqliteStatements, SqliteViews } from '#oracle/adapters/sqlite/views.js';
import { admit } from '#oracle/domain/intake/admit.js';
import type { ReceivedMessage } from '#oracle/domain/intake/ports.js';
import { JUDGING, type Judging } from '#oracle/domain/verdicts/judging.js';
import type { FakeRegistry } from '../signed-journal.js';
import { NETWORK, START_MS } from '../signed-journal.js';

export const verifier = provedVerifier();
export const GATEWAY = new Uint8Array(32).fill(77);
export const NOW_MS = START_MS + 86_400_000;

/** A ledger in memory (or in a file), filled by hand. `judging` replaces parts of the rules by which it judges. */
export function testLedger(
  registry: FakeRegistry,
  path = ':memory:',
  judging: Partial<Judging> = {},
  opened?: Database,
) {
  const database = opened ?? openDatabase(path, ledgerMigrations);
  const statements = new SqliteStatements(database.sqlite);
  let byte = 0;
  const randomness = { bytes: (length: number) => new Uint8Array(length).fill(++byte), fraction: () => 0.5 };
  const ledger = new SqliteLedger(database, registry, randomness, () => statements.changed(), {
    ...JUDGING,
    ...judging,
  });
  const arrival = (message: Uint8Array, arrivedAtMs = NOW_MS, receivedAtMs = 1_000): ReceivedMessage => ({
    gateway: GATEWAY,
    topicMeter: null,
    admission: admit(message, receivedAtMs, NETWORK, registry, verifier),
    arrivedAtMs,
    receivedAtMs,
  });
  const take = (messages: readonly { message: Uint8Array }[], nowMs = NOW_MS) =>
    ledger.take(
      messages.map(({ message }) => arrival(message, nowMs)),
      nowMs,
    );
  /** Returns the verdicts by message hash, in hex. */
  const verdicts = () =>
    new Map(
      database.sqlite
        .prepare('SELECT hash, verdict FROM messages UNION ALL SELECT hash, reason FROM rejects')
        .all()
        .map((row) => [toHex(row.hash as Uint8Array), Number(row.verdict)]),
    );
  const verdictOf = (message: { hash: Uint8Array }) => verdicts().get(toHex(message.hash));
  const mark = (meterId: MeterId) => ledger.tell(GATEWAY).meters.get(meterId);
  const views = new SqliteViews(database.sqlite);
  /** Returns true while something remains to be judged again. */
  const isDirty = () =>
    database.sqlite.prepare('SELECT 1 FROM streams WHERE dirty_from IS NOT NULL').get() !== undefined;
  return { isDirty, database, ledger, statements, views, arrival, take, verdicts, verdictOf, mark };
}
