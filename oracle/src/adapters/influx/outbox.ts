import type { Ledger } from '../../domain/intake/ports.js';
import type { ReadingSource } from '../../domain/live/ports.js';

/**
 * Offers the ledger's outbox as a source with one follower. A request for more readings first clears those that the
 * follower has recorded. So a crash between recording and clearing repeats the clearing and loses nothing.
 */
export function outboxReadings(ledger: Pick<Ledger, 'outbox' | 'clearOutbox'>): ReadingSource {
  let cleared = 0;
  return {
    readingsAfter(cursor, limit) {
      if (cursor > cleared) ledger.clearOutbox(cursor);
      cleared = cursor;
      const { through, points } = ledger.outbox(limit);
      return { through: Math.max(through, cursor), points };
    },
  };
}
