import { asWindow, latestWindow, MAX_U32, type MeterId, type Window, type WindowOrNone } from '@gridtokenx/protocol';
import type { Clock, Logger } from '@gridtokenx/runtime/core';
import {
  type Candidate,
  currentWindow,
  type Plan,
  type PlanWindow,
  SKIP_WORDS,
  type SkipReason,
  type SlottedMeter,
} from './plan.js';
import type { MeterPageRead, SettlementStore } from './ports.js';
import type { StatementStore } from './statements.js';

/** Bounds the offers of a slot that the chain skips for no known reason; after them the backlog skips its statement. */
const MAX_OFFERS = 3;
/** No statement lies above it: stands for a slot that the page does not have. */
const LAST_WINDOW = asWindow(MAX_U32);

export interface BacklogDeps {
  readonly store: SettlementStore;
  readonly statements: StatementStore;
  readonly clock: Clock;
  readonly closedAtMs: (window: Window) => number;
  readonly graceMs: number;
  readonly plan: PlanWindow;
  readonly logger: Logger;
}

/** Finds a page's statements that are not on chain, and plans the next attestation. */
export class Backlog {
  readonly #zone: number;
  readonly #page: number;
  readonly #meters: () => SlottedMeter[];
  readonly #deps: BacklogDeps;
  /** By meter: how often the chain left the slot for no reason known here, and for which window. */
  readonly #offers = new Map<MeterId, { window: Window; count: number }>();
  /** Newest window when the page began to catch up. */
  #catchingUpTo: WindowOrNone | null = null;

  constructor(zone: number, page: number, meters: () => SlottedMeter[], deps: BacklogDeps) {
    this.#zone = zone;
    this.#page = page;
    this.#meters = meters;
    this.#deps = deps;
  }

  /** True when a meter has a statement above a window that may be attested. */
  isOwed(meter: SlottedMeter, window: Window): boolean {
    return this.#candidate(meter, window).oldest !== undefined;
  }

  /** The chain took a meter's statement. */
  taken(meter: MeterId): void {
    this.#offers.delete(meter);
  }

  /** A slot that moved meanwhile is read and offered again, but not for ever. */
  left(window: Window | null, meter: MeterId, reason: SkipReason): void {
    const { logger, store, clock } = this.#deps;
    const before = this.#offers.get(meter);
    const count = before?.window === window ? before.count + 1 : 1;
    if (reason === 'moved' && count < MAX_OFFERS) {
      this.#offers.set(meter, { window: window ?? asWindow(0), count });
      return;
    }
    this.#offers.delete(meter);
    const why = SKIP_WORDS[reason];
    logger.warn({ event: 'statement_skipped', meter, window, reason: why }, 'The chain skipped a statement');
    store.skip(meter, window ?? asWindow(0), why, clock.nowMs());
  }

  #candidate(meter: SlottedMeter, window: Window): Candidate {
    const { statements, store } = this.#deps;
    const above = latestWindow(window, store.skippedThrough(meter.meterId));
    const [oldest] = statements.attestable(meter.meterId, above, 1);
    const newest = oldest && statements.newest(meter.meterId);
    return { meter, oldest, newest: newest && newest.window > above ? newest : oldest };
  }

  /**
   * Plans the next attestation of the slots that `takesPart` names. Skips each statement that cannot be built, once.
   */
  plan(page: MeterPageRead, takesPart: (slot: number) => boolean = () => true): Plan {
    const { store, clock, closedAtMs, graceMs, plan: choose, logger } = this.#deps;
    for (;;) {
      const candidates = this.#meters()
        .filter(({ slot }) => takesPart(slot))
        .map((meter) => this.#candidate(meter, page.slots[meter.slot]?.window ?? LAST_WINDOW));
      const isCatchingUp = this.#isCatchingUp(currentWindow(candidates));
      const graceUntilMs = (window: Window) => (isCatchingUp ? 0 : closedAtMs(window) + graceMs);
      const { plan, unusable } = choose(page.slots, candidates, clock.nowMs(), graceUntilMs, isCatchingUp);
      if (unusable.length === 0) return plan;
      for (const { meterId, window, reason } of unusable) {
        store.skip(meterId, window, reason, clock.nowMs());
        logger.warn({ event: 'statement_unattestable', meter: meterId, window, reason }, 'Cannot attest a statement');
      }
    }
  }

  /** A page catches up until a window comes that was not there when it began: one meter's backlog does not prolong it. */
  #isCatchingUp(current: WindowOrNone): boolean {
    const { store } = this.#deps;
    if (!store.isCatchingUp(this.#zone, this.#page)) {
      this.#catchingUpTo = null;
      return false;
    }
    this.#catchingUpTo ??= current;
    if (current <= this.#catchingUpTo) return true;
    store.caughtUp(this.#zone, this.#page);
    return false;
  }
}
