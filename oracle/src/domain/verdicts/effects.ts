import type { MeterId, Window } from '@gridtokenx/protocol';
import type { MeterRecord } from '../ports.js';
import type { StoredMessage } from './ports.js';
import type { VerdictCode } from './verdict.js';

/**
 * Meters whose statements may have changed the basis of derived points, with the lowest changed window. Null where only
 * statements that wait for the meter may be decided.
 */
export type ChangedInputs = Map<MeterId, Window | null>;

/** Collects what a commit changed beside rows, for others to act on after the commit. */
export interface Effects {
  statementsChanged: boolean;
  /** Meters that points may derive from, with the lowest window whose statement now counts differently. */
  readonly inputs: ChangedInputs;
  /** Messages by new verdict. */
  readonly verdicts: Map<VerdictCode, number>;
  /** Readings that became verified. */
  readonly verified: { readonly id: number; readonly meter: MeterRecord; readonly row: StoredMessage }[];
}

/** Returns the effects of a commit that has changed nothing yet. */
export function noEffects(): Effects {
  return { statementsChanged: false, inputs: new Map(), verified: [], verdicts: new Map() };
}

/** Notes a change of a meter that points may derive from. `window`: the lowest changed window; null: none. */
export function noteInput(inputs: ChangedInputs, meterId: MeterId, window: Window | null): void {
  const before = inputs.get(meterId) ?? null;
  const isLower = before === null || (window !== null && window < before);
  inputs.set(meterId, isLower ? window : before);
}

/** Counts `n` more messages under a verdict. */
export function add(verdicts: Map<VerdictCode, number>, code: VerdictCode, n: number): void {
  verdicts.set(code, (verdicts.get(code) ?? 0) + n);
}

/** Returns the number of messages under all verdicts. */
export function total(verdicts: ReadonlyMap<VerdictCode, number>): number {
  let sum = 0;
  for (const n of verdicts.values()) sum += n;
  return sum;
}

/** Time and registry at the moment of judging. */
export interface Present {
  /** Clock that drives readings, ms. */
  readonly nowMs: number;
  /** See `Registry.asOf`. */
  readonly registryFetchedAtMs: number;
}

/** Rows that one transaction may judge again; every judgement in it shares the budget. */
export interface Budget {
  left: number;
}
