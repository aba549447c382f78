import type { MeterId } from '@gridtokenx/protocol';
import type { Logger } from '@gridtokenx/runtime/core';
import type { LostSeqs, Spool } from '../ports.js';
import type { MeterJournal } from '../signing/meter-journal.js';
import type { AckTracker } from './ack-tracker.js';

/** Declares records that the spool lost and no oracle has: thinned, or damaged at rest [gateway §4.6]. */
export class LostRecords {
  readonly #spool: Spool;
  readonly #acks: AckTracker;
  /** Seqs that no gap declares yet. */
  readonly #waiting: LostSeqs[] = [];

  readonly #log: Logger;

  constructor({ spool, acks, log }: { readonly spool: Spool; readonly acks: AckTracker; readonly log: Logger }) {
    this.#spool = spool;
    this.#acks = acks;
    this.#log = log;
  }

  /** Rejects with the disk's error; the next call goes on. */
  async declare(meters: readonly { readonly id: MeterId; readonly journal: MeterJournal }[]): Promise<void> {
    const lost = this.#spool.takeLost();
    this.#report(lost);
    this.#waiting.push(...lost);
    for (let next = this.#waiting[0]; next; next = this.#waiting[0]) {
      const { meterId, first, last, reason } = next;
      const acknowledged = this.#acks.acknowledged(meterId);
      // A meter that left the configuration has no key here that could declare anything.
      const meter = meters.find(({ id }) => id === meterId);
      await meter?.journal.declareGone(first > acknowledged ? first : acknowledged + 1n, last, reason);
      this.#waiting.shift();
    }
  }

  /** Logs one line for each reason. */
  #report(lost: readonly LostSeqs[]): void {
    for (const reason of new Set(lost.map((one) => one.reason))) {
      const own = lost.filter((one) => one.reason === reason);
      const seqs = own.reduce((sum, { first, last }) => sum + last - first + 1n, 0n);
      const what = { reason, meters: new Set(own.map(({ meterId }) => meterId)).size, seqs: `${seqs}` };
      this.#log.warn({ event: 'records_lost', ...what }, 'Lost records of the spool: the gateway declares them');
    }
  }
}
