import type { Next } from '@gridtokenx/chain-sender';
import { latestWindow, NO_WINDOW, type Window } from '@gridtokenx/protocol';
import type { Clock, Logger } from '@gridtokenx/runtime/core';
import { type MintTask, MintTracker } from './mint-tracker.js';
import { planMint, type SlottedMeter } from './plan.js';
import {
  type Intent,
  type MeterPageRead,
  type NewIntent,
  type PageRead,
  TokenAccountMissing,
  type TransactionBuilder,
} from './ports.js';

export interface MintingDeps {
  readonly zone: number;
  readonly page: number;
  readonly meters: () => SlottedMeter[];
  readonly builder: Pick<TransactionBuilder, 'mintPage' | 'mintMeter'>;
  /** Newest window of all pages of the zone, as last read: the zone's budget rises with it. */
  readonly zoneWindow: () => Window;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Chooses a page's next mint, and tracks its outcome. */
export class Minting {
  readonly #deps: MintingDeps;
  readonly #mints = new MintTracker();
  /** The mint under way; null after a restart, when nobody knows which one it was. */
  #underWay: { task: MintTask; mark: string } | null = null;

  constructor(deps: MintingDeps) {
    this.#deps = deps;
  }

  problems(): string[] {
    return this.#mints.problems();
  }

  /** Returns the mint that is worth sending now; null for none. */
  next(read: PageRead): MintTask | null {
    return this.#mints.next(this.#tasks(read), this.#mark(read), this.#deps.clock.nowMs());
  }

  /** When what waits is tried again without a change of the page; null when nothing waits. */
  nextAttemptAtMs(read: PageRead): number | null {
    return this.#mints.nextAttemptAtMs(this.#tasks(read));
  }

  /** The mint to send; or nothing, where only others can mend what is missing. Throws `NodeUnavailable`. */
  async build(
    task: MintTask,
    read: PageRead,
    at: MeterPageRead,
    nonce: number,
  ): Promise<Next<NewIntent, { readonly kind: 'progress' }>> {
    const { zone, page, builder, clock } = this.#deps;
    const { kind, meter } = task;
    const building = meter
      ? builder.mintMeter(zone, page, meter.meterId, meter.owner, nonce)
      : builder.mintPage(zone, page, nonce);
    const signed = await building.catch((error: unknown) => {
      if (error instanceof TokenAccountMissing) return error;
      throw error;
    });
    if (signed instanceof TokenAccountMissing) {
      this.#mints.leftDue(task, this.#mark(read), signed.message, clock.nowMs());
      return { step: { kind: 'progress' } };
    }
    this.#underWay = { task, mark: this.#mark(read) };
    const { version, moves, history } = at;
    const base = { zone, page, version, moves, history, expectedHistory: null, window: null, items: [] };
    return { send: { kind, ...base, ...signed } };
  }

  /** A mint landed: what it left (a zone's budget, a slot that cannot be minted) is due later, and nothing is wrong. */
  landed(read: PageRead): void {
    const { task, mark } = this.#underWay ?? {};
    this.#underWay = null;
    if (!task || mark === undefined) return;
    const meterId = task.meter?.meterId;
    const isLeft = this.#tasks(read).some((left) => left.kind === task.kind && left.meter?.meterId === meterId);
    if (isLeft) this.#mints.leftDue(task, mark, 'the chain took less (budget, or a slot)', this.#deps.clock.nowMs());
    else this.#mints.done(task);
  }

  failed({ kind }: Intent, error: string): void {
    const { zone, page, clock, logger } = this.#deps;
    const { task, mark } = this.#underWay ?? {};
    this.#underWay = null;
    logger.warn({ event: 'mint_failed', zone, page, why: error }, `${kind} failed: tried again later`);
    if (task && mark !== undefined) this.#mints.leftDue(task, mark, `${kind} failed: ${error}`, clock.nowMs());
  }

  /** The page as far as it decides what can be minted. */
  #mark({ page }: PageRead): string {
    const window = latestWindow(this.#deps.zoneWindow(), page?.highestWindow ?? NO_WINDOW);
    return `${page?.version}/${page?.moves}/${window}`;
  }

  #tasks(read: PageRead): MintTask[] {
    const { pool, wallets } = planMint(read, this.#deps.meters());
    const ofPool: MintTask[] = pool.length > 0 ? [{ kind: 'mint_page', meter: null }] : [];
    return [...ofPool, ...wallets.map((meter): MintTask => ({ kind: 'mint_meter', meter }))];
  }
}
