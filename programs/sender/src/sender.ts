import type { Clock } from '@gridtokenx/runtime/core';
import { Patience } from './patience.js';
import type { SendNode, SettlerStore, SignedTransaction, Stored, Work } from './ports.js';

/** A settler can do nothing before `untilMs`, real time, unless it is woken. */
export interface Wait {
  readonly kind: 'wait';
  readonly untilMs: number;
  /** Plain words. */
  readonly why: string;
}

export interface SenderDeps<New extends SignedTransaction, Kept extends New & Stored, Event, Step> {
  readonly node: SendNode<Event>;
  readonly store: SettlerStore<New, Kept>;
  readonly work: Work<New, Kept, Event, Step>;
  readonly clock: Pick<Clock, 'nowMs'>;
  /** Queries the outcome of an open intent this often, real ms. */
  readonly pollMs: number;
}

/** Sends the same bytes again this often, real ms, while their outcome is unknown. */
export const RESEND_MS = 500;

/**
 * Sends on one settler, each transaction with effect at most once [settlement §3]. It never holds two transactions of unknown outcome, stores
 * each before it is sent, sends only the stored bytes again, and has the next one built from a fresh read after the last
 * one's outcome is stored. Killed at any point, it goes on from the store and the chain.
 */
export class Sender<New extends SignedTransaction, Kept extends New & Stored, Event, Step> {
  readonly #deps: SenderDeps<New, Kept, Event, Step>;
  readonly #patience = new Patience();
  #lastSentAtMs = Number.NEGATIVE_INFINITY;

  constructor(deps: SenderDeps<New, Kept, Event, Step>) {
    this.#deps = deps;
  }

  /** True when no transaction is on its way. Throws what the store throws. */
  get isQuiet(): boolean {
    return this.#deps.store.open() === undefined;
  }

  /** Does one thing: resolves what is open, or begins what is next. Throws `NodeUnavailable`, or what store and work throw. */
  async step(): Promise<Step | Wait> {
    const { store, work } = this.#deps;
    const open = store.open();
    if (open) return this.#resolve(open);
    const next = await work.next(() => store.nonce());
    return 'send' in next ? this.#begin(next.send) : next.step;
  }

  async #begin(intent: New): Promise<Wait> {
    const { store, work, clock } = this.#deps;
    const stored = store.add(intent, clock.nowMs());
    this.#patience.reset();
    this.#lastSentAtMs = Number.NEGATIVE_INFINITY;
    work.stored(stored);
    return this.#sendAgain(stored);
  }

  async #resolve(intent: Kept): Promise<Step | Wait> {
    const { node, work, clock } = this.#deps;
    // In this order: a transaction that is still unknown after its blockhash had expired can never land.
    const state = await node.blockhashState(intent);
    const outcome = await node.outcome(intent.signature);
    switch (outcome.kind) {
      case 'landed':
        return work.landed(intent, outcome.slot, outcome.event);
      case 'failed':
        return work.failed(intent, outcome.slot, outcome.error);
      case 'seen':
        return this.#wait('waiting for confirmation');
      case 'unknown':
        return this.#patience.isGone(state, clock.nowMs()) ? work.lapsed(intent) : this.#sendAgain(intent);
    }
  }

  async #sendAgain(intent: Kept): Promise<Wait> {
    const now = this.#deps.clock.nowMs();
    if (now - this.#lastSentAtMs >= RESEND_MS) {
      this.#lastSentAtMs = now;
      await this.#deps.node.send(intent.raw);
    }
    return this.#wait('waiting for the transaction');
  }

  #wait(why: string): Wait {
    return { kind: 'wait', untilMs: this.#deps.clock.nowMs() + this.#deps.pollMs, why };
  }
}
