import type { Wait } from '@gridtokenx/chain-sender';
import type { Clock, Logger } from '@gridtokenx/runtime/core';
import { compareWithArchive, hasAttested } from './lineage.js';
import type { SlottedMeter } from './plan.js';
import type { MeterPageRead, SettlementStore } from './ports.js';

/** A node that shows less than the archive is believed after this time. Real ms. */
const PATIENCE_MS = 3_000;
const LOOK_AGAIN_MS = 100;

export interface RollbackDeps {
  readonly zone: number;
  readonly page: number;
  readonly store: SettlementStore;
  readonly meters: () => readonly SlottedMeter[];
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Holds a page against the archive: a chain that came back older has lost transactions [settlement §6]. */
export class Rollback {
  readonly #deps: RollbackDeps;
  #olderSeenAtMs: number | null = null;

  constructor(deps: RollbackDeps) {
    this.#deps = deps;
  }

  /** Null when the page may be built on; else what the step came to. */
  reconcile(page: MeterPageRead): Wait | { readonly kind: 'progress' } | null {
    const { store, clock, zone, page: number, meters } = this.#deps;
    const head = store.head(zone, number);
    const hasAll = () =>
      meters().every(({ slot, meterId }) => hasAttested(page.slots[slot], store.lastAttested(zone, number, meterId)));
    const lineage = compareWithArchive(page, head, hasAll);
    if (lineage !== 'rolled back') {
      this.#olderSeenAtMs = null;
      if (lineage === 'ahead' || page.moves !== head?.moves) store.observed(zone, number, page);
      return null;
    }
    // A node that lags behind shows the same for a moment; whoever builds on it is refused by the page's version anyway.
    const now = clock.nowMs();
    this.#olderSeenAtMs ??= now;
    if (now - this.#olderSeenAtMs < PATIENCE_MS) {
      return { kind: 'wait', untilMs: now + LOOK_AGAIN_MS, why: 'the chain shows an older page' };
    }
    this.#olderSeenAtMs = null;
    this.#undo(page, now);
    return { kind: 'progress' };
  }

  #undo(page: MeterPageRead, nowMs: number): void {
    const { store, zone, page: number, meters, logger } = this.#deps;
    const slots = new Map(meters().map(({ meterId, slot }) => [meterId, page.slots[slot]]));
    const signatures = store.undoAfter(zone, number, page, nowMs, (meterId, attested) =>
      hasAttested(slots.get(meterId), attested),
    );
    const shown = { zone, page: number, version: String(page.version), signatures };
    logger.warn(
      { event: 'chain_rolled_back', ...shown },
      'The chain restored an older state: these transactions are undone',
    );
  }
}
