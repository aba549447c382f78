import type { MeterId } from '@gridtokenx/protocol';
import type { Spool } from '../ports.js';
import type { Packet } from './packet.js';
import { type Excluded, Patience, Resend } from './resend.js';

/** Names the seqs above `from` up to `through` that a connected oracle lacks, although enough others have them. */
export interface Lag {
  readonly from: bigint;
  readonly through: bigint;
}

interface Round {
  from: bigint;
  patience: Patience;
}

/**
 * Sends again what an oracle lacks that lost its ledger, was restored from a backup or was away [gateway §11.4]. These
 * packets have the lowest priority: enough oracles have the messages, so nothing waits for them.
 */
export class CatchUp {
  readonly #meters: readonly MeterId[];
  readonly #lag: (meterId: MeterId) => Lag | null;
  readonly #rounds = new Map<MeterId, Round>();
  readonly #resend: Resend;

  constructor(spool: Spool, meters: readonly MeterId[], lag: (meterId: MeterId) => Lag | null, excluded: Excluded) {
    this.#meters = meters;
    this.#lag = lag;
    this.#resend = new Resend({
      spool,
      excluded,
      arrived: (meterId) => this.#rounds.get(meterId)?.from ?? 0n,
      room: (meterId) => (this.#rounds.get(meterId)?.patience.mostInFlight ?? 0) - this.#resend.inFlight(meterId),
    });
  }

  /** Clears the state of a connection: packets in flight on the old one may be lost. */
  reset(): void {
    this.#rounds.clear();
    this.#resend.clear();
  }

  /** Compares the watermarks with the last check, and sends again where a round made no progress. */
  check(nowMs: number): void {
    for (const meterId of this.#meters) {
      const lag = this.#lag(meterId);
      const round = this.#rounds.get(meterId);
      if (!lag) {
        this.#rounds.delete(meterId);
        this.#resend.end(meterId);
      } else if (round && lag.from > round.from) {
        round.from = lag.from;
        round.patience.progressed(nowMs);
        // Messages above the target were sent live. Those that did not arrive are the next stretch.
        if (this.#resend.isSent(meterId) && lag.from >= this.#resend.target(meterId))
          this.#resend.begin(meterId, lag.through);
      } else if (!round || lag.from < round.from) {
        this.#rounds.set(meterId, { from: lag.from, patience: new Patience(nowMs) });
        this.#resend.begin(meterId, lag.through);
      } else if (round.patience.isOver(nowMs)) {
        this.#resend.begin(meterId, lag.through);
      }
    }
  }

  /** Returns the next packet, or null when there is nothing to send now. */
  async next(): Promise<Packet | null> {
    for (const meterId of [...this.#rounds.keys()]) {
      const packet = await this.#resend.next(meterId);
      if (packet) return packet;
    }
    return null;
  }
}
