import {
  asWh,
  latestWindow,
  MAX_U64,
  type MeterId,
  NO_WINDOW,
  type Window,
  type WindowOrNone,
} from '@gridtokenx/protocol';
import type { MeterRecord } from '../ports.js';
import { type AttestEntry, type PageRead, SlotFlag, type SlotRead } from './ports.js';
import type { AttestableStatement } from './statements.js';

/** A meter that has a slot. */
export type SlottedMeter = MeterRecord & { readonly page: number; readonly slot: number };

/** Describes one meter to the planner, beside its slot. */
export interface Candidate {
  readonly meter: SlottedMeter;
  /** Its oldest and its newest statement above the slot; both undefined when there is none. */
  readonly oldest: AttestableStatement | undefined;
  readonly newest: AttestableStatement | undefined;
}

export type Plan =
  | {
      readonly kind: 'attest';
      readonly window: Window;
      readonly entries: readonly AttestEntry[];
      /** False for windows that others are past: mints go before them. */
      readonly isCurrent: boolean;
    }
  /** Statements are there; the planner waits for others until a real time. */
  | { readonly kind: 'wait'; readonly untilMs: number }
  | { readonly kind: 'nothing' };

/**
 * A slot whose oldest statement is more windows than this behind the page's newest takes its newest one: the windows between
 * become one lump, so that a long backlog costs one transaction and not thousands [settlement §2.2].
 */
export const MAX_LAG_WINDOWS = 7;

/** A statement that cannot be put on chain as it is, in plain words. */
export interface Unusable {
  readonly meterId: MeterId;
  readonly window: Window;
  readonly reason: string;
}

/**
 * Computes the totals since enrolment: carried + raw - baseline [chain §7.1]. A register below its baseline gives a
 * negative total, so the totals are no `Wh` yet.
 */
export function totalsOf(
  meter: MeterRecord,
  statement: { readonly importWh: bigint; readonly exportWh: bigint },
): { importWh: bigint; exportWh: bigint } {
  return {
    importWh: meter.importCarriedWh + statement.importWh - meter.importBaselineWh,
    exportWh: meter.exportCarriedWh + statement.exportWh - meter.exportBaselineWh,
  };
}

/** Makes the entry of a statement that has no `rejectionReason`. Throws `RangeError` for totals outside of u64. */
export function entryOf(meter: SlottedMeter, before: SlotRead, statement: AttestableStatement): AttestEntry {
  const { importWh, exportWh } = totalsOf(meter, statement);
  const { meterId, slot } = meter;
  return { meterId, slot, importWh: asWh(importWh), exportWh: asWh(exportWh), before, payload: statement.payload };
}

/** True when the slot takes part in attestations. */
export function isOpen(slot: SlotRead): boolean {
  return (slot.flags & (SlotFlag.active | SlotFlag.disputed | SlotFlag.closed)) === SlotFlag.active;
}

/** Why a statement cannot be attested on this slot, or null. The chain's own rules (caps) are left to the chain. */
export function rejectionReason(meter: SlottedMeter, slot: SlotRead, statement: AttestableStatement): string | null {
  const totals = totalsOf(meter, statement);
  if (statement.window < meter.firstWindow) return 'before the first valid window';
  if (totals.importWh < 0n || totals.exportWh < 0n) return 'register below its baseline';
  if (totals.importWh > MAX_U64 || totals.exportWh > MAX_U64) return 'total above 64 bits';
  if (totals.importWh < slot.importWh || totals.exportWh < slot.exportWh) return "register below the chain's total";
  return null;
}

/** The page's newest window that a statement is there for. */
export function currentWindow(candidates: readonly Candidate[]): WindowOrNone {
  return candidates.reduce<WindowOrNone>(
    (top, { newest }) => (newest ? latestWindow(newest.window, top) : top),
    NO_WINDOW,
  );
}

/** The statement that a slot takes next: its oldest, or its newest where that one lies too far behind `current`. */
export function nextOf({ oldest, newest }: Candidate, current: WindowOrNone, isCatchingUp: boolean) {
  const isLump = isCatchingUp || (oldest !== undefined && current - oldest.window > MAX_LAG_WINDOWS);
  return isLump ? newest : oldest;
}

/**
 * Which window of a page is attested next, and with whom. First the current window, for all slots that have nothing older to
 * attest or lie too far behind; when nothing current is due, late windows, oldest first. Each window is on its own: a bit
 * is set only for a meter with a statement for exactly that window. A window waits for open slots that may still state
 * it, until `graceUntilMs(window)`; meanwhile late windows go on [settlement §2.1].
 */
export function planWindow(
  slots: readonly SlotRead[],
  candidates: readonly Candidate[],
  nowMs: number,
  graceUntilMs: (window: Window) => number,
  isCatchingUp = false,
): { plan: Plan; unusable: Unusable[] } {
  const open = candidates.filter(({ meter }) => slots[meter.slot] && isOpen(slots[meter.slot] as SlotRead));
  const current = currentWindow(open);
  const refused: Unusable[] = [];
  const ready = new Map<Window, AttestEntry[]>();
  const silent: Window[] = [];
  for (const candidate of open) {
    const { meter } = candidate;
    const slot = slots[meter.slot] as SlotRead;
    const next = nextOf(candidate, current, isCatchingUp);
    if (!next) {
      silent.push(slot.window);
      continue;
    }
    const reason = rejectionReason(meter, slot, next);
    if (reason) refused.push({ meterId: meter.meterId, window: next.window, reason });
    else {
      const same = ready.get(next.window) ?? [];
      same.push(entryOf(meter, slot, next));
      ready.set(next.window, same);
    }
  }
  return { plan: choose(ready, silent, current, nowMs, graceUntilMs), unusable: refused };
}

/** Chooses what is attested next; see `planWindow`. */
export type PlanWindow = typeof planWindow;

function choose(
  ready: ReadonlyMap<Window, AttestEntry[]>,
  silent: readonly Window[],
  current: WindowOrNone,
  nowMs: number,
  graceUntilMs: (window: Window) => number,
): Plan {
  const late = [...ready.keys()].sort((a, b) => a - b);
  let untilMs = Number.POSITIVE_INFINITY;
  const order = current === NO_WINDOW ? late : [current, ...late.filter((one) => one !== current)];
  for (const window of order) {
    const entries = ready.get(window);
    if (!entries) continue;
    const mayCome = silent.some((at) => at < window);
    if (mayCome && nowMs < graceUntilMs(window)) untilMs = Math.min(untilMs, graceUntilMs(window));
    else {
      const rising = entries.sort((a, b) => a.slot - b.slot);
      return { kind: 'attest', window, entries: rising, isCurrent: window === current };
    }
  }
  return Number.isFinite(untilMs) ? { kind: 'wait', untilMs } : { kind: 'nothing' };
}

/** Slots of a page whose export is above their minted cursor. */
export interface MintPlan {
  /** The pool slots among them, which are minted together. */
  readonly pool: readonly SlottedMeter[];
  /** Those that are minted to a wallet, one by one. */
  readonly wallets: readonly SlottedMeter[];
}

/** Plans the next mint; disputed slots are left alone [settlement §2.3]. */
export function planMint(read: PageRead, meters: readonly SlottedMeter[]): MintPlan {
  const due = (slot: number) => {
    const [meter, ledger] = [read.page?.slots[slot], read.ledger?.slots[slot]];
    return meter && ledger && (meter.flags & SlotFlag.disputed) === 0 && meter.exportWh > ledger.mintedWh;
  };
  const owed = meters.filter((meter) => due(meter.slot));
  const toWallet = (meter: SlottedMeter) => read.ledger?.slots[meter.slot]?.destination === 'wallet';
  return { pool: owed.filter((meter) => !toWallet(meter)), wallets: owed.filter(toWallet) };
}

/** Windows passed count at most this many in the cap rule. */
const MAX_WINDOWS = 2_880n;

/** Why the chain left a slot as it was. `moved`: it changed between the read and the attest_page, so this is tried again. */
export type SkipReason =
  | 'not active'
  | 'closed'
  | 'disputed'
  | 'window not newer'
  | 'above the cap'
  | 'above the cap after an extra window'
  | 'moved';

/** The reason as people see it, and as it is stored. */
export const SKIP_WORDS: Readonly<Record<SkipReason, string>> = {
  'not active': 'slot not active',
  closed: 'slot closed',
  disputed: 'slot disputed',
  'window not newer': 'window not newer',
  'above the cap': 'above the cap',
  'above the cap after an extra window': 'above the cap after an extra window',
  moved: 'left by the chain for no reason known here',
};

/** Finds the reason from the slot as it was read; `moved` where the slot would have taken it. */
export function skipReason(before: SlotRead, window: Window, item: { importWh: bigint; exportWh: bigint }): SkipReason {
  if ((before.flags & SlotFlag.active) === 0) return 'not active';
  if ((before.flags & SlotFlag.closed) !== 0) return 'closed';
  if ((before.flags & SlotFlag.disputed) !== 0) return 'disputed';
  if (window <= before.window) return 'window not newer';
  const passed = BigInt(Math.min(window - before.window, Number(MAX_WINDOWS)));
  const over = (rise: bigint, cap: number, windows: bigint) => rise > BigInt(cap) * windows;
  const rises: [bigint, number][] = [
    [item.exportWh - before.exportWh, before.exportCapWh],
    [item.importWh - before.importWh, before.importCapWh],
  ];
  if (rises.some(([rise, cap]) => over(rise, cap, passed + 1n))) return 'above the cap';
  const isExtra = (before.flags & SlotFlag.extra) !== 0;
  if (isExtra && rises.some(([rise, cap]) => over(rise, cap, passed))) return 'above the cap after an extra window';
  return 'moved';
}

/** True when the chain would take this total for the window now. */
export function wouldTake(before: SlotRead, window: Window, item: { importWh: bigint; exportWh: bigint }): boolean {
  return skipReason(before, window, item) === 'moved';
}
