import { MAX_COSIGN_STATEMENTS, type MeterId, type Window, windowBefore } from '@gridtokenx/protocol';
import type { MeterRecord } from '../../ports.js';
import { capWh } from '../disputes/sync.js';
import type { MoveState } from '../moved.js';
import { entryOf, isOpen, MAX_LAG_WINDOWS, rejectionReason, type SlottedMeter, totalsOf, wouldTake } from '../plan.js';
import type { AttestEntry, MeterPageRead, SlotRead, Totals } from '../ports.js';
import type { AttestableStatement, StatementStore } from '../statements.js';

/** Why a co-signer does not sign [numbers §13]. Part of the answer, so a name keeps its meaning. */
export type RefusalCode =
  /** Not the request of a configured oracle, or not meant for this one, this network or this moment. */
  | 'stranger'
  | 'stale'
  | 'malformed'
  /** Anything but compute budget and this attest_page, other accounts, another payer. */
  | 'transaction'
  | 'attestors'
  | 'unknown page'
  /** The chain as this oracle reads it is not what the proposal was built on: it may lag. */
  | 'page differs'
  | 'blockhash'
  /** This ledger has no acceptable statement for a meter of the proposal. */
  | 'no statement'
  /** This ledger has statements that the proposal passes over; they are part of the answer. */
  | 'left out'
  | 'root'
  | 'totals'
  | 'implausible'
  /** Another attest_page for the same page version was signed, and may still land. */
  | 'held'
  | 'unavailable';

export interface Refusal {
  readonly code: RefusalCode;
  /** Plain words. */
  readonly detail: string;
  /** 171-byte messages that the asking oracle does not seem to have. */
  readonly statements?: readonly Uint8Array[];
}

/** The statement for exactly this window. */
export function statementAt(
  statements: StatementStore,
  meterId: MeterId,
  window: Window,
): AttestableStatement | undefined {
  const [found] = statements.attestable(meterId, windowBefore(window, 1), 1);
  return found?.window === window ? found : undefined;
}

/** A day: an oracle that heard nothing for longer waits for the gateway to send it all again. */
const MAX_INPUT_WINDOWS = 96;

/**
 * The messages by which another oracle can judge these statements too. A derived point's rests on those of its two meters,
 * also on earlier ones that the other may have missed: as many as there is room for are shown before it.
 */
export function shownFor(
  statements: StatementStore,
  taken: readonly AttestableStatement[],
  most = MAX_COSIGN_STATEMENTS,
): Uint8Array[] {
  const derived = taken.filter(({ meterId, window }) => statements.inputs(meterId, window, 1).length > 0);
  const windows = Math.floor((most - taken.length) / Math.max(1, 2 * derived.length));
  const inputs = derived.flatMap(({ meterId, window }) =>
    statements.inputs(meterId, window, Math.min(windows, MAX_INPUT_WINDOWS)),
  );
  return [...inputs.slice(0, most - taken.length), ...taken].map(({ message }) => message);
}

export interface Judged {
  readonly read: MeterPageRead;
  /** Of the page. */
  readonly meters: readonly SlottedMeter[];
  readonly statements: StatementStore;
  readonly window: Window;
  /** Slots that the proposal sets, rising. */
  readonly slots: readonly number[];
  /** How a slot stands to this oracle's own read of the registry; known when absent. */
  readonly standing?: (slot: number) => MoveState;
  /** True while this oracle's own settler catches up after a rollback: then slots jump to their newest statement. */
  readonly isCatchingUp?: boolean;
  /** Did the totals of this slot still fit the transaction? */
  readonly fits: (slot: number, totals: Totals) => boolean;
}

/**
 * Returns the entries that this oracle would write for the slots of a proposal: from its own ledger and its own read of
 * the page [settlement §8.3]. The caller compares bytes. May throw when the disk fails.
 */
export function judgeSlots(given: Judged): { entries: AttestEntry[] } | { refused: Refusal } {
  const { read, meters, statements, window, slots } = given;
  const bySlot = new Map(meters.map((meter) => [meter.slot, meter]));
  const entries: AttestEntry[] = [];
  for (const slot of slots) {
    const [meter, before] = [bySlot.get(slot), read.slots[slot]];
    if (given.standing?.(slot) === 'unexplained') {
      const detail = `slot ${slot} moved, and the registry was read before that here: not yet`;
      return { refused: { code: 'page differs', detail } };
    }
    const statement = meter && statementAt(statements, meter.meterId, window);
    if (!meter || !before || !statement) {
      const detail = `slot ${slot}, window ${window}: no statement that may be attested`;
      return { refused: { code: 'no statement', detail } };
    }
    const earlier = owedBefore(given, meter, before);
    if (earlier) {
      const detail = `slot ${slot}: the statement for window ${earlier.window} comes before that for ${window}`;
      return { refused: { code: 'left out', detail, statements: shownFor(statements, [earlier]) } };
    }
    const reason = isOpen(before) ? rejectionReason(meter, before, statement) : 'slot not open';
    if (reason) return { refused: { code: 'no statement', detail: `slot ${slot}, window ${window}: ${reason}` } };
    entries.push(entryOf(meter, before, statement));
  }
  const missing = leftOut(given);
  if (missing.length === 0) return { entries };
  const detail = `${missing.length} statements for window ${window} are passed over`;
  return { refused: { code: 'left out', detail, statements: shownFor(statements, missing) } };
}

/** Bounds the statements of a slot that are searched for one that the chain would take. */
const MAX_LOOKED_AT = 2 * MAX_LAG_WINDOWS;

/**
 * An earlier statement of the slot that is to be attested before the proposal's window (see `planWindow`); none where
 * the slot lies so far behind that its windows become one lump.
 */
function owedBefore(given: Judged, meter: SlottedMeter, before: SlotRead): AttestableStatement | undefined {
  const { read, meters, statements, window, isCatchingUp } = given;
  if (isCatchingUp) return undefined;
  const earlier = statements
    .attestable(meter.meterId, before.window, MAX_LOOKED_AT)
    .find((one) => !rejectionReason(meter, before, one) && wouldTake(before, one.window, totalsOf(meter, one)));
  if (!earlier || earlier.window >= window) return undefined;
  const newest = meters.map((one) => {
    const slot = read.slots[one.slot];
    return slot && isOpen(slot) ? (statements.newest(one.meterId)?.window ?? 0) : 0;
  });
  return Math.max(...newest) - earlier.window <= MAX_LAG_WINDOWS ? earlier : undefined;
}

/** Statements for the window that the chain would take now and that the proposal leaves out without a reason. */
function leftOut(given: Judged): AttestableStatement[] {
  const { read, meters, statements, window, slots, fits } = given;
  const taken = new Set(slots);
  const highest = Math.max(-1, ...slots);
  const missing: AttestableStatement[] = [];
  for (const meter of [...meters].sort((a, b) => a.slot - b.slot)) {
    const before = read.slots[meter.slot];
    if (!before || taken.has(meter.slot) || !isOpen(before)) continue;
    // The other oracle may have read the registry before the slot moved.
    if ((given.standing?.(meter.slot) ?? 'known') !== 'known') continue;
    const statement = statementAt(statements, meter.meterId, window);
    // With a later statement its energy comes with that one: so a page catches up after a rollback.
    if (!statement || (statements.newest(meter.meterId)?.window ?? window) > window) continue;
    if (rejectionReason(meter, before, statement)) continue;
    const entry = entryOf(meter, before, statement);
    if (!wouldTake(before, window, entry)) continue;
    if (owedBefore(given, meter, before)) continue;
    // A full transaction is split in slot order: what comes after it is for the next one.
    if (meter.slot > highest && !fits(meter.slot, entry)) break;
    missing.push(statement);
  }
  return missing;
}

/** Net energy that meters of a zone gave in some windows. */
export interface NetRise {
  /** Export minus import, Wh. */
  readonly netWh: bigint;
  /** Windows that it took, at least 1. */
  readonly windows: number;
}

const MICRO = 1_000_000n;

/**
 * Is the average power of a zone more than its lines carry? In words, or null. `capacityW` both ways, one tenth of
 * tolerance as in the caps; `stepWh` is what the resolution of the registers may add.
 */
export function capacityViolation(capacityW: bigint, rises: readonly NetRise[], stepWh: bigint): string | null {
  let micro = 0n;
  for (const { netWh, windows } of rises) micro += (netWh * MICRO) / BigInt(Math.max(1, windows));
  const size = micro < 0n ? -micro : micro;
  // A quarter of an hour, and a tenth more.
  const limit = (capacityW * MICRO * 11n) / 40n + stepWh * MICRO;
  if (size <= limit) return null;
  return `the zone's net energy of ${size / MICRO} Wh a window is above ${limit / MICRO} Wh, its capacity of ${capacityW} W`;
}

/**
 * A rise as far as it can be power of one home: its cap for each window. The chain leaves out whoever is above; what one home
 * says must not keep the others of the zone from being attested.
 */
function atMost(capWhAWindow: number, windows: number, riseWh: bigint): bigint {
  const most = BigInt(capWhAWindow) * BigInt(Math.max(1, windows));
  if (riseWh > most) return most;
  return riseWh < 0n ? 0n : riseWh;
}

/** Meters of a zone that may be attested, as this oracle knows them. Of the page itself the slots decide. */
export function attestableOf(zone: number, meters: readonly MeterRecord[], read: MeterPageRead): MeterRecord[] {
  return meters.filter((meter) => {
    if (meter.zone !== zone || meter.slot === null || meter.status !== 'active') return false;
    const slot = meter.page === read.page ? read.slots[meter.slot] : undefined;
    return meter.page !== read.page || (slot !== undefined && isOpen(slot));
  });
}

/**
 * Net rises of a zone for one window: of the proposal's slots since the page was last moved, and of the zone's other
 * meters between this window and the one before, so that splitting a window hides nothing. `others`: see `attestableOf`.
 */
export function netRises(
  entries: readonly AttestEntry[],
  others: readonly MeterRecord[],
  statements: StatementStore,
  window: Window,
): NetRise[] {
  const rises = entries.map(({ exportWh, importWh, before }) => {
    const windows = window - before.window;
    const exported = atMost(before.exportCapWh, windows, exportWh - before.exportWh);
    return { netWh: exported - atMost(before.importCapWh, windows, importWh - before.importWh), windows };
  });
  const taken = new Set(entries.map(({ meterId }) => meterId));
  for (const { meterId, exportLimitW, importLimitW, registerStepWh } of others) {
    if (taken.has(meterId)) continue;
    const [first, second] = statements.attestable(meterId, windowBefore(window, 2), 2);
    if (first?.window !== window - 1 || second?.window !== window) continue;
    const exported = atMost(capWh(exportLimitW, registerStepWh), 1, second.exportWh - first.exportWh);
    const imported = atMost(capWh(importLimitW, registerStepWh), 1, second.importWh - first.importWh);
    rises.push({ netWh: exported - imported, windows: 1 });
  }
  return rises;
}

/** How long one attestor of the zone leads before the next may. */
export const ROUND_MS = 8_000;
/** Reads this often whether another leader did the work, real ms. */
const LOOK_AGAIN_MS = 500;

/**
 * Whose turn it is to send for a page: place (turn + round) of the zone's set, where rounds are counted in real time from
 * the moment at which this oracle first saw that there is something to do. Clocks need not agree: two leaders at a time cost
 * a refused signature, nothing more [settlement §8.1].
 */
export class LeaderSchedule {
  readonly #roundMs: number;
  readonly #since = new Map<string, { what: string; ms: number }>();

  constructor(roundMs = ROUND_MS) {
    this.#roundMs = roundMs;
  }

  /**
   * 0 when the attestor at `place` of `count` leads, else the ms to wait before asking again. `what` names the work and
   * changes with each piece of it; `turn` is its window, or the number of its case.
   */
  wait(
    settler: string,
    what: string,
    turn: number,
    { place, count }: { place: number; count: number },
    nowMs: number,
  ): number {
    let since = this.#since.get(settler);
    if (since?.what !== what) {
      since = { what, ms: nowMs };
      this.#since.set(settler, since);
    }
    const passed = Math.max(0, nowMs - since.ms);
    const round = Math.floor(passed / this.#roundMs);
    if ((turn + round) % count === place) return 0;
    return Math.min(LOOK_AGAIN_MS, this.#roundMs - (passed % this.#roundMs));
  }
}
