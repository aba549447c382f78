import type { AttestableStatement, MeterRecord } from '../../ports.js';
import { type AttestEntry, type PageRead, SlotFlag, type SlotRead } from './ports.js';

/** A meter that has a slot. */
export type SlottedMeter = MeterRecord & { readonly page: number; readonly slot: number };

/** What the planner is told about one meter beside its slot. */
export interface Candidate {
  readonly meter: SlottedMeter;
  /** Its statement to attest next: the oldest above the slot, or the newest while a page catches up. */
  readonly next: AttestableStatement | undefined;
}

export type Plan =
  | { readonly kind: 'attest'; readonly window: number; readonly entries: readonly AttestEntry[] }
  /** Statements are there, but others are waited for until a real time. */
  | { readonly kind: 'wait'; readonly untilMs: number }
  | { readonly kind: 'nothing' };

/** A statement that cannot be put on chain as it is, in plain words. */
export interface Unusable {
  readonly meterId: string;
  readonly window: number;
  readonly reason: string;
}

/** Total since enrolment: carried + raw - baseline (chain: Accounts). May be negative for a register below its baseline. */
export function totalsOf(
  meter: MeterRecord,
  statement: { readonly importWh: bigint; readonly exportWh: bigint },
): { importWh: bigint; exportWh: bigint } {
  return {
    importWh: meter.importCarriedWh + statement.importWh - meter.importBaselineWh,
    exportWh: meter.exportCarriedWh + statement.exportWh - meter.exportBaselineWh,
  };
}

/** True when the slot takes part in attestations. */
export function isOpen(slot: SlotRead): boolean {
  return (slot.flags & (SlotFlag.active | SlotFlag.disputed | SlotFlag.closed)) === SlotFlag.active;
}

/** Why a statement cannot be attested on this slot, or null. The chain's own rules (caps) are left to the chain. */
export function unusable(meter: SlottedMeter, slot: SlotRead, statement: AttestableStatement): string | null {
  const totals = totalsOf(meter, statement);
  if (statement.window < meter.firstWindow) return 'before the first valid window';
  if (totals.importWh < 0n || totals.exportWh < 0n) return 'register below its baseline';
  if (totals.importWh < slot.importWh || totals.exportWh < slot.exportWh) return "register below the chain's total";
  return null;
}

/**
 * Which window of a page is attested next, and with whom. Oldest window first, and each window on its own: a bit is set
 * only for a meter with a statement for exactly that window. A window waits for open slots that have no later statement
 * either, until `graceEndsMs(window)`; a meter that has gone on to a later window is not waited for.
 */
export function planWindow(
  slots: readonly SlotRead[],
  candidates: readonly Candidate[],
  nowMs: number,
  graceEndsMs: (window: number) => number,
): { plan: Plan; unusable: Unusable[] } {
  const refused: Unusable[] = [];
  const ready: { entry: AttestEntry; window: number }[] = [];
  let isAnyoneMissing = false;
  for (const { meter, next } of candidates) {
    const slot = slots[meter.slot];
    if (!slot || !isOpen(slot)) continue;
    if (!next) {
      isAnyoneMissing = true;
      continue;
    }
    const reason = unusable(meter, slot, next);
    if (reason) refused.push({ meterId: meter.meterId, window: next.window, reason });
    else {
      const entry = { meterId: meter.meterId, slot: meter.slot, ...totalsOf(meter, next), before: slot };
      ready.push({ entry: { ...entry, payload: next.payload }, window: next.window });
    }
  }
  return { plan: choose(ready, isAnyoneMissing, nowMs, graceEndsMs), unusable: refused };
}

function choose(
  ready: readonly { entry: AttestEntry; window: number }[],
  isAnyoneMissing: boolean,
  nowMs: number,
  graceEndsMs: (window: number) => number,
): Plan {
  if (ready.length === 0) return { kind: 'nothing' };
  const window = Math.min(...ready.map((one) => one.window));
  const untilMs = graceEndsMs(window);
  if (isAnyoneMissing && nowMs < untilMs) return { kind: 'wait', untilMs };
  const entries = ready.filter((one) => one.window === window).map((one) => one.entry);
  return { kind: 'attest', window, entries: entries.sort((a, b) => a.slot - b.slot) };
}

/** What is to be minted: the pool slots of the page together, and wallet slots one by one. */
export interface MintPlan {
  readonly pool: boolean;
  readonly wallets: readonly SlottedMeter[];
}

/** Slots whose export is above their minted cursor; disputed ones are left alone (chain: mint_page). */
export function planMint(read: PageRead, meters: readonly SlottedMeter[]): MintPlan {
  const due = (slot: number) => {
    const [meter, ledger] = [read.page?.slots[slot], read.ledger?.slots[slot]];
    return meter && ledger && (meter.flags & SlotFlag.disputed) === 0 && meter.exportWh > ledger.mintedWh;
  };
  const owed = meters.filter((meter) => due(meter.slot));
  const toWallet = (meter: SlottedMeter) => read.ledger?.slots[meter.slot]?.destination === 'wallet';
  return { pool: owed.some((meter) => !toWallet(meter)), wallets: owed.filter(toWallet) };
}

/** Windows passed count at most this many in the cap rule. */
const MOST_WINDOWS = 2_880n;

/** Why the chain left a slot as it was, from the slot as it was read; the words people see. */
export function explainSkip(before: SlotRead, window: number, item: { importWh: bigint; exportWh: bigint }): string {
  if ((before.flags & SlotFlag.active) === 0) return 'slot not active';
  if ((before.flags & SlotFlag.closed) !== 0) return 'slot closed';
  if ((before.flags & SlotFlag.disputed) !== 0) return 'slot disputed';
  if (window <= before.window) return 'window not newer';
  const passed = BigInt(Math.min(window - before.window, Number(MOST_WINDOWS)));
  const over = (rise: bigint, cap: number, windows: bigint) => rise > BigInt(cap) * windows;
  const rises: [bigint, number][] = [
    [item.exportWh - before.exportWh, before.exportCapWh],
    [item.importWh - before.importWh, before.importCapWh],
  ];
  if (rises.some(([rise, cap]) => over(rise, cap, passed + 1n))) return 'above the cap';
  const isExtra = (before.flags & SlotFlag.extra) !== 0;
  if (isExtra && rises.some(([rise, cap]) => over(rise, cap, passed))) return 'above the cap after an extra window';
  return MOVED;
}

/** The slot changed between the read and the attest_page; the next read shows it, so this is tried again. */
export const MOVED = 'slot moved meanwhile';
