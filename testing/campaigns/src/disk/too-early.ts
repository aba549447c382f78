import type { MeterId } from '@gridtokenx/protocol';
import { AckTracker } from '#edge/domain/delivery/ack-tracker.js';
import type { Spool } from '#edge/domain/ports.js';

/** Returns the seq through which a meter's messages count as stored, by a wrong rule. */
export type Through = (meterId: MeterId) => bigint;

/** An ack tracker for a control: counts messages through `through` as acknowledged, in place of signed acks. */
export class CredulousAckTracker extends AckTracker {
  readonly #through: Through;

  constructor(oracles: ConstructorParameters<typeof AckTracker>[0], threshold: number, through: Through) {
    super(oracles, threshold);
    this.#through = through;
  }

  override acknowledged(meterId: MeterId): bigint {
    return this.#through(meterId);
  }
}

/**
 * Wraps a spool so that it drops safe segments at once and thins nothing: a run is too short to fill a spool.
 * `through`, of a control, replaces the gateway's choice of what is safe.
 */
export const thriftySpool = (spool: Spool, through?: Through): Spool => ({
  append: (messages) => spool.append(messages),
  read: (...asked) => spool.read(...asked),
  highest: (meterId) => spool.highest(meterId),
  has: (meterId, seq) => spool.has(meterId, seq),
  count: (...asked) => spool.count(...asked),
  missing: (meterId, from, last) => spool.missing(meterId, from, last),
  bytes: () => spool.bytes(),
  trim: async (_maxBytes, safeThrough, declare) => {
    await spool.trim(Number.POSITIVE_INFINITY, through ?? safeThrough, declare);
    await spool.relieve();
  },
  scrub: () => spool.scrub(),
  takeLost: () => spool.takeLost(),
  relieve: () => spool.relieve(),
  written: () => spool.written(),
  problem: () => spool.problem(),
  close: () => spool.close(),
});
