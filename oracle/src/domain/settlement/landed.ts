import { asWindow } from '@gridtokenx/protocol';
import { equal } from './lineage.js';
import { type SkipReason, skipReason } from './plan.js';
import type { AttestedEvent, Intent, IntentItem, MeterPageRead } from './ports.js';

/** Stands for the window of a mint, which has none. */
const FIRST = asWindow(0);

/** True when the page is exactly what this attest_page made of it: nothing else has changed it since. */
export function hasLandedAs(intent: Intent, page: MeterPageRead | null): boolean {
  if (!page || !intent.expectedHistory || page.version !== intent.version + 1n) return false;
  return equal(page.history, intent.expectedHistory);
}

/** Without the event (the node forgot the transaction) the page itself tells which slots took their total. */
export function eventFrom(intent: Intent, page: MeterPageRead | null): AttestedEvent {
  const took = (item: IntentItem) => {
    const slot = page?.slots[item.slot];
    return slot !== undefined && slot.window >= (intent.window ?? FIRST) && slot.exportWh >= item.exportWh;
  };
  return {
    version: intent.version + 1n,
    history: intent.expectedHistory ?? new Uint8Array(32),
    window: intent.window ?? FIRST,
    skipped: new Set(intent.items.filter((item) => !took(item)).map((item) => item.slot)),
  };
}

export interface AttestOutcome {
  readonly accepted: readonly IntentItem[];
  readonly skipped: readonly { readonly item: IntentItem; readonly reason: SkipReason }[];
}

/** Which items of an attest_page the chain took, and why it left the others. */
export function attestOutcome(intent: Intent, event: AttestedEvent): AttestOutcome {
  const accepted = intent.items.filter((item) => !event.skipped.has(item.slot));
  const skipped = intent.items
    .filter((item) => event.skipped.has(item.slot))
    .map((item) => ({ item, reason: skipReason(item.before, intent.window ?? FIRST, item) }));
  return { accepted, skipped };
}
