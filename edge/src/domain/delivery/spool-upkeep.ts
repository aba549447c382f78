import type { MeterId } from '@gridtokenx/protocol';
import type { Clock, Logger } from '@gridtokenx/runtime/core';
import type { LostSeqs, Spool } from '../ports.js';
import type { MeterJournal } from '../signing/meter-journal.js';
import type { AckTracker } from './ack-tracker.js';

/** Interval of reading one segment of the spool again, ms: 1 MiB a minute. */
const SCRUB_MS = 60_000;

/** A meter whose key can declare what the spool lost. */
export interface Declarer {
  readonly id: MeterId;
  readonly journal: MeterJournal;
}

export interface SpoolUpkeepOptions {
  readonly spool: Spool;
  readonly spoolMaxBytes: number;
  readonly acks: AckTracker;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Keeps the spool within its bytes, finds damage at rest, and declares what is gone [gateway §4.6]. */
export class SpoolUpkeep {
  readonly #options: SpoolUpkeepOptions;
  /** Damaged seqs that no gap declares yet. */
  readonly #waiting: LostSeqs[] = [];
  #scrubbedAtMs: number;

  constructor(options: SpoolUpkeepOptions) {
    this.#options = options;
    this.#scrubbedAtMs = options.clock.monotonicMs();
  }

  /** Trims, scrubs when that is due, and declares. Rejects with the disk's error; the next call goes on. */
  async run(meters: readonly Declarer[]): Promise<void> {
    const { spool, spoolMaxBytes, clock } = this.#options;
    await spool.trim(
      spoolMaxBytes,
      (id) => this.#safeThrough(id, meters),
      (lost) => this.#declareThinned(lost, meters),
    );
    if (clock.monotonicMs() - this.#scrubbedAtMs >= SCRUB_MS) {
      this.#scrubbedAtMs = clock.monotonicMs();
      await spool.scrub();
    }
    await this.#declareDamaged(meters);
  }

  /** Returns the seq through which records are acknowledged and no open window's root needs them. */
  #safeThrough(id: MeterId, meters: readonly Declarer[]): bigint {
    const acknowledged = this.#options.acks.acknowledged(id);
    const covered = journalOf(id, meters)?.statedThrough;
    return covered !== undefined && covered < acknowledged ? covered : acknowledged;
  }

  async #declareThinned(lost: readonly LostSeqs[], meters: readonly Declarer[]): Promise<void> {
    this.#report(lost);
    // A meter that left the configuration has no key here that could declare anything.
    for (const { meterId, first, last } of lost)
      await journalOf(meterId, meters)?.declareThinned(this.#unstored(meterId, first), last);
  }

  async #declareDamaged(meters: readonly Declarer[]): Promise<void> {
    const lost = this.#options.spool.takeLost();
    this.#report(lost);
    this.#waiting.push(...lost);
    for (let next = this.#waiting[0]; next; next = this.#waiting[0]) {
      const { meterId, last, reason } = next;
      // From the watermark on: the damaged record may be the event that declared other seqs.
      await journalOf(meterId, meters)?.declareGone(this.#unstored(meterId, 0n), last, reason);
      this.#waiting.shift();
    }
  }

  /** Returns the first seq from `first` on that no threshold of oracles has. */
  #unstored(meterId: MeterId, first: bigint): bigint {
    const acknowledged = this.#options.acks.acknowledged(meterId);
    return first > acknowledged ? first : acknowledged + 1n;
  }

  /** Logs one line for each reason. */
  #report(lost: readonly LostSeqs[]): void {
    for (const reason of new Set(lost.map((one) => one.reason))) {
      const own = lost.filter((one) => one.reason === reason);
      const seqs = own.reduce((sum, { first, last }) => sum + last - first + 1n, 0n);
      const what = { reason, meters: new Set(own.map(({ meterId }) => meterId)).size, seqs: `${seqs}` };
      this.#options.log.warn(
        { event: 'records_lost', ...what },
        'Lost records of the spool: the gateway declares them',
      );
    }
  }
}

const journalOf = (id: MeterId, meters: readonly Declarer[]) => meters.find((meter) => meter.id === id)?.journal;
