import { ACCEPTED, READING } from './codes.js';
import type { Database } from './database.js';

/** Puts every verified reading into the outbox again, for a time series that begins anew. Twice is the same as once. */
export function fillOutbox({ sqlite, transaction }: Database): void {
  transaction(() => {
    sqlite.exec('DELETE FROM outbox');
    sqlite.exec(
      `INSERT INTO outbox (message) SELECT id FROM messages WHERE kind = ${READING} AND verdict IN ${ACCEPTED} ORDER BY id`,
    );
  });
}
