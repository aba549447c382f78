import { type MeterId, shortHash, toHex } from '@gridtokenx/protocol';
import { BackOff, type Clock, type Logger, type Random } from '@gridtokenx/runtime/core';
import type { Counters, Spool } from '../ports.js';
import { SeqRuns } from '../seq-runs.js';
import type { MeterJournal } from '../signing/meter-journal.js';
import type { RecoveredMeter } from '../signing/recovery.js';
import type { AckTracker } from './ack-tracker.js';

/** Back-off between declarations for one meter, ms: an oracle may refuse the gap's own event, too. */
const DECLARE = { initialMs: 1_000, maxMs: 600_000 };
/** Least time between two searches of the spool for refused messages, ms. */
const LOOK_MS = 500;
/** Records that one search reads. */
const MAX_LOOKED_AT = 4_000;

/** A key's journal, and the state that the spool showed at the start. */
export interface KeyJournal {
  readonly id: MeterId;
  readonly name: string;
  readonly journal: MeterJournal;
  readonly recovered: RecoveredMeter;
}

export interface DeadLettersOptions {
  readonly journals: readonly KeyJournal[];
  readonly acks: AckTracker;
  readonly spool: Spool;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly counters: Counters;
}

interface Pace {
  readonly backOff: BackOff;
  blockedUntilMs: number;
}

/**
 * Tracks messages that stay in the spool and are never sent: refused for good, or signed on a restored image [gateway
 * §11.5].
 */
export class DeadLetters {
  readonly #options: DeadLettersOptions;
  readonly #journals = new Map<MeterId, MeterJournal>();
  readonly #dead = new Map<MeterId, SeqRuns>();
  readonly #paces = new Map<MeterId, Pace>();

  constructor(options: DeadLettersOptions) {
    this.#options = options;
    for (const { id, journal, recovered } of options.journals) {
      this.#journals.set(id, journal);
      this.#dead.set(id, SeqRuns.of(recovered.refused));
      this.#paces.set(id, { backOff: new BackOff(DECLARE, options.random), blockedUntilMs: 0 });
    }
  }

  /** Returns true for a record that stays in the spool and is never sent. */
  excluded(meterId: MeterId, seq: bigint): boolean {
    if (this.#dead.get(meterId)?.has(Number(seq))) return true;
    return this.#journals.get(meterId)?.state.discarded.some(({ first, last }) => seq >= first && seq <= last) ?? false;
  }

  /**
   * Declares messages that so many oracles refused that they can never be acknowledged. Rejects with the disk's error.
   */
  async declare({ id, name, journal: meterLog }: Omit<KeyJournal, 'recovered'>): Promise<void> {
    const { acks, clock, log, counters } = this.#options;
    const pace = this.#paces.get(id);
    const dead = this.#dead.get(id);
    if (acks.refusals === 0 || !pace || !dead || clock.monotonicMs() < pace.blockedUntilMs) return;
    pace.blockedUntilMs = clock.monotonicMs() + LOOK_MS;
    const seqs = await this.#refused(id, dead);
    if (seqs.length === 0) {
      // The oracles have passed every dead letter, so the next one is declared without delay.
      if (dead.highest <= acks.acknowledged(id)) pace.backOff.reset();
      return;
    }
    pace.blockedUntilMs = clock.monotonicMs() + pace.backOff.next();
    log.warn(
      { event: 'messages_refused', meter: name, messages: seqs.length },
      'The oracles refused messages: the gateway keeps them and declares a gap',
    );
    for (const seq of seqs) dead.add(Number(seq));
    counters.add('dead_letters', { meter: id }, seqs.length);
    await meterLog.declareRefused(rangesOf(seqs));
  }

  async #refused(id: MeterId, dead: SeqRuns): Promise<bigint[]> {
    const { acks, spool } = this.#options;
    const messages = await spool.read(id, acks.acknowledged(id) + 1n, MAX_LOOKED_AT);
    const refused = messages.filter(({ seq, bytes }) => !dead.has(Number(seq)) && acks.isDead(toHex(shortHash(bytes))));
    return refused.map(({ seq }) => seq);
  }
}

function rangesOf(seqs: readonly bigint[]): { first: bigint; last: bigint }[] {
  const ranges: { first: bigint; last: bigint }[] = [];
  for (const seq of seqs) {
    const newest = ranges.at(-1);
    if (newest && newest.last + 1n === seq) newest.last = seq;
    else ranges.push({ first: seq, last: seq });
  }
  return ranges;
}
