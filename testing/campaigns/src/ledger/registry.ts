import type { Clock } from '@gridtokenx/runtime/core';
import type { MeterRecord, Registry } from '#oracle/domain/ports.js';
import type { Fact, Meter } from './world.js';

/**
 * The chain's registry and the oracle's lagging cache of it. An answer shows the chain's state when the request was
 * sent. The campaign decides when it arrives or fails.
 */
export class LaggingRegistry implements Registry {
  readonly #clock: Clock;
  readonly #facts: readonly Fact[];
  #chain = new Map<string, MeterRecord>();
  #cache: ReadonlyMap<string, MeterRecord>;
  #asOf = { chainSlot: 1, fetchedAtMs: 1 };
  #question: { seen: ReadonlyMap<string, MeterRecord>; sentAtMs: number } | null = null;
  #promise: Promise<void> = Promise.resolve();
  #settle: { resolve: () => void; reject: (error: Error) => void } | null = null;
  /** Number of facts on chain. */
  onChain = 0;
  answers = 0;

  constructor(meters: readonly Meter[], facts: readonly Fact[], clock: Clock) {
    this.#clock = clock;
    this.#facts = facts;
    for (const { record, isKnown } of meters) if (isKnown) this.#chain.set(record.meterId, record);
    this.#cache = new Map(this.#chain);
  }

  get asOf(): { readonly chainSlot: number; readonly fetchedAtMs: number } {
    return this.#asOf;
  }
  meter(meterId: string): MeterRecord | undefined {
    return this.#cache.get(meterId);
  }
  meters(): readonly MeterRecord[] {
    return [...this.#cache.values()];
  }

  refresh(): Promise<void> {
    if (this.#question) return this.#promise;
    this.#question = { seen: new Map(this.#chain), sentAtMs: this.#clock.nowMs() };
    this.#promise = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    // If only the campaign sent the request, nobody handles its failure.
    this.#promise.catch(() => undefined);
    return this.#promise;
  }

  /** Puts facts up to `count` on chain. */
  advanceTo(count: number): void {
    for (; this.onChain < count; this.onChain++) {
      const fact = this.#facts[this.onChain];
      if (fact) this.#chain.set(fact.record.meterId, fact.record);
    }
  }

  get isAsked(): boolean {
    return this.#question !== null;
  }

  /** Lets the node answer, or fail. Does nothing without a request. */
  answer(isReached: boolean): void {
    const { seen, sentAtMs } = this.#question ?? {};
    const settle = this.#settle;
    this.#question = null;
    this.#settle = null;
    if (!seen || sentAtMs === undefined) return;
    if (!isReached) {
      settle?.reject(new Error('the node cannot be reached'));
      return;
    }
    this.#cache = seen;
    this.#asOf = { chainSlot: this.#asOf.chainSlot + 1, fetchedAtMs: sentAtMs };
    this.answers++;
    settle?.resolve();
  }

  /** The oracle died: drops its request; the next process knows nothing before its first answer. */
  forget(): void {
    this.#question = null;
    this.#settle = null;
    this.#cache = new Map();
    this.#asOf = { chainSlot: 0, fetchedAtMs: 0 };
  }
}
