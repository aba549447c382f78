import type { Ledger } from '../../domain/intake/ports.js';
import type { ReadingSource } from '../../domain/live/ports.js';

/**
 * The ledger's outbox as a source with one follower: what the follower has recorded is cleared when it asks for more,
 * so a crash between the two repeats the clearing, never the loss.
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
