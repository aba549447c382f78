import type { MeterId, PublicKeyText } from '@gridtokenx/protocol';
import type { Clock } from '@gridtokenx/runtime/core';
import type { MeterJournal } from '../signing/meter-journal.js';
import type { AckTracker } from './ack-tracker.js';
import type { Lag } from './catch-up.js';

/** An oracle that acknowledged nothing for this long is taken to be away: nothing is sent again for it. */
const HEARD_MS = 600_000;

/** Knows which oracles are there, and what each of them lacks [gateway §11.4]. */
export class LagWatch {
  readonly #acks: AckTracker;
  readonly #clock: Clock;
  /** When each oracle acknowledged something last, monotonic ms. */
  readonly #heard = new Map<PublicKeyText, number>();
  /** By meter: the highest seq that was ever acknowledged; and where what is gone was looked for last. */
  readonly #reached = new Map<MeterId, bigint>();
  readonly #lookedFrom = new Map<MeterId, bigint>();

  /** What `acks` holds now for `meters` is what was acknowledged in earlier runs. */
  constructor(acks: AckTracker, meters: readonly MeterId[], clock: Clock) {
    this.#acks = acks;
    this.#clock = clock;
    for (const id of meters) this.#reached.set(id, acks.acknowledged(id));
  }

  /** This oracle acknowledged something just now. */
  heard(oracle: PublicKeyText): void {
    this.#heard.set(oracle, this.#clock.monotonicMs());
  }

  /** What an oracle lacks that is there now, although enough others have it; null when there is none. */
  lag(meterId: MeterId): Lag | null {
    const through = this.#acks.acknowledged(meterId);
    const since = this.#clock.monotonicMs() - HEARD_MS;
    let from = through;
    for (const [oracle, heardAtMs] of this.#heard) {
      const stored = this.#acks.storedBy(oracle, meterId);
      if (heardAtMs >= since && stored < from) from = stored;
    }
    return from < through ? { from, through } : null;
  }

  /**
   * What was acknowledged once may be gone from the spool: an oracle that lacks it again (a lost or restored ledger) is
   * told that it will never come, and goes on above it [gateway §11.6]. Rejects with the disk's error.
   */
  async declareGone({ id, log }: { readonly id: MeterId; readonly log: MeterJournal }): Promise<void> {
    const acknowledged = this.#acks.acknowledged(id);
    const before = this.#reached.get(id) ?? 0n;
    const reached = acknowledged > before ? acknowledged : before;
    this.#reached.set(id, reached);
    const from = this.lag(id)?.from ?? acknowledged;
    if (from >= reached) this.#lookedFrom.delete(id);
    else if (this.#lookedFrom.get(id) !== from) {
      await log.declareGone(from + 1n, reached);
      this.#lookedFrom.set(id, from);
    }
  }
}
