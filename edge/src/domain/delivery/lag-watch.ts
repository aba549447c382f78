import type { MeterId, PublicKeyText } from '@gridtokenx/protocol';
import type { Clock } from '@gridtokenx/runtime/core';
import type { MeterJournal } from '../signing/meter-journal.js';
import type { AckTracker } from './ack-tracker.js';
import type { Lag } from './catch-up.js';

/** Time without an ack after which an oracle counts as away, ms: nothing is sent again for it. */
const HEARD_MS = 600_000;

/** Tracks which oracles are present, and what each of them lacks [gateway §11.4]. */
export class LagWatch {
  readonly #acks: AckTracker;
  readonly #clock: Clock;
  /** Instant of each oracle's last ack, monotonic ms. */
  readonly #heard = new Map<PublicKeyText, number>();
  /**
   * By meter: the highest seq that was ever acknowledged, and the seq from which the last check declared missing
   * records.
   */
  readonly #reached = new Map<MeterId, bigint>();
  readonly #lookedFrom = new Map<MeterId, bigint>();

  /** Takes the watermarks that `acks` now holds for `meters` as those of earlier runs. */
  constructor(acks: AckTracker, meters: readonly MeterId[], clock: Clock) {
    this.#acks = acks;
    this.#clock = clock;
    for (const id of meters) this.#reached.set(id, acks.acknowledged(id));
  }

  /** Records an ack of this oracle. */
  heard(oracle: PublicKeyText): void {
    this.#heard.set(oracle, this.#clock.monotonicMs());
  }

  /** Returns the messages that a present oracle lacks, although enough others have them; null when there are none. */
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
   * Declares acknowledged messages that the spool has trimmed and an oracle lacks again (its ledger was lost or
   * restored). That oracle then continues above them [gateway §11.6]. Rejects with the disk's error.
   */
  async declareGone({ id, journal }: { readonly id: MeterId; readonly journal: MeterJournal }): Promise<void> {
    const acknowledged = this.#acks.acknowledged(id);
    const before = this.#reached.get(id) ?? 0n;
    const reached = acknowledged > before ? acknowledged : before;
    this.#reached.set(id, reached);
    const from = this.lag(id)?.from ?? acknowledged;
    if (from >= reached) this.#lookedFrom.delete(id);
    else if (this.#lookedFrom.get(id) !== from) {
      await journal.declareGone(from + 1n, reached);
      this.#lookedFrom.set(id, from);
    }
  }
}
