import { asPublicKeyText, type PublicKeyText, type Signer, signAck } from '@gridtokenx/protocol';
import type { Clock, Logger } from '@gridtokenx/runtime/core';
import type { Ledger } from './ports.js';

/** Delay before the next attempt after a storage failure, in ms: the ack is not lost. */
const RETRY_MS = 1_000;
/** Minimum time between two acks for a gateway, in ms: at most 4 acks a second. */
const SPACING_MS = 250;

export interface AckDeps {
  readonly ledger: Ledger;
  readonly signer: Signer;
  readonly clock: Clock;
  readonly logger: Logger;
  /**
   * Returns false until the registry was read once. An earlier ack would name no meters, and a gateway would read that
   * as lower watermarks. The ack that the broker retains still holds.
   */
  readonly canTell: () => boolean;
  /** Publishes retained. Returns false without a connection; the next connection sends all acks again. */
  readonly publish: (gateway: Uint8Array, message: Uint8Array) => boolean;
  /** Real ms from the commit to the ack. */
  readonly onSent: (lagMs: number) => void;
}

interface Due {
  readonly gateway: Uint8Array;
  readonly since: number;
  readonly cancel: () => void;
}

/**
 * Signs and sends acks; no other code makes an ack [wire §8.2]. An ack states the ledger's content at the time of
 * signing. So an extra ack is harmless, and several reasons to send share one ack.
 */
export class AckSender {
  readonly #deps: AckDeps;
  readonly #due = new Map<PublicKeyText, Due>();
  readonly #lastSent = new Map<PublicKeyText, number>();
  #failures = 0;
  #isStopped = false;

  constructor(deps: AckDeps) {
    this.#deps = deps;
  }

  /** Schedules an ack for a gateway: a commit concerned it, or it requested one. */
  mark(gateway: Uint8Array): void {
    const name = asPublicKeyText(gateway);
    if (this.#isStopped || this.#due.has(name)) return;
    const now = this.#deps.clock.monotonicMs();
    const wait = Math.max(0, (this.#lastSent.get(name) ?? -SPACING_MS) + SPACING_MS - now);
    const cancel = this.#deps.clock.after(wait, () => this.#send(name));
    this.#due.set(name, { gateway, since: now, cancel });
  }

  /** Schedules all acks after a new connection: a broker may have lost its retained messages. */
  markAll(): void {
    try {
      for (const gateway of this.#deps.ledger.gateways()) this.mark(gateway);
    } catch (error) {
      this.#deps.logger.error(
        { event: 'ledger_read_failed', err: error },
        'Cannot read the ledger: the oracle sends no acks',
      );
    }
  }

  /** Sends acks that are due, and none afterwards. */
  stop(): void {
    this.#isStopped = true;
    for (const [name, { cancel }] of [...this.#due]) {
      cancel();
      this.#send(name);
    }
  }

  #send(name: PublicKeyText): void {
    const due = this.#due.get(name);
    if (!due) return;
    this.#due.delete(name);
    const { ledger, signer, clock, logger, canTell, publish, onSent } = this.#deps;
    if (!canTell()) {
      this.#lastSent.set(name, clock.monotonicMs() + RETRY_MS - SPACING_MS);
      this.mark(due.gateway);
      return;
    }
    this.#lastSent.set(name, clock.monotonicMs());
    try {
      const told = ledger.tell(due.gateway);
      const timeMs = ledger.nextAckTime(clock.nowMs());
      this.#failures = 0;
      const message = signAck({ ledgerId: ledger.id, timeMs, gateway: due.gateway, ...told }, signer);
      if (!publish(due.gateway, message)) return;
      onSent(clock.monotonicMs() - due.since);
      const shown = { gateway: name, meters: told.meters.size, refused: told.refused.length };
      logger.debug({ event: 'ack_sent', ...shown }, 'Sent an ack');
    } catch (error) {
      if (this.#failures++ === 0)
        logger.error(
          { event: 'ack_failed', err: error, gateway: name },
          'Cannot read the ledger: the oracle sends this gateway no ack',
        );
      this.#lastSent.set(name, clock.monotonicMs() + RETRY_MS - SPACING_MS);
      this.mark(due.gateway);
    }
  }
}
