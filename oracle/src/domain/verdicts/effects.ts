import type { MeterId, Window } from '@gridtokenx/protocol';
import type { MeterRecord } from '../ports.js';
import type { StoredMessage } from './ports.js';
import type { VerdictCode } from './verdict.js';

/**
 * Meters whose statements may have changed what derived points are judged by, with the lowest window that changed; null
 * where only what waits for the meter may be decided.
 */
export type ChangedInputs = Map<MeterId, Window | null>;

/** What a commit changed beside rows: told to others after it. */
export interface Effects {
  statementsChanged: boolean;
  /** Meters that points may be derived from, with the lowest window whose statement counts otherwise than before. */
  readonly inputs: ChangedInputs;
  /** Messages by new verdict. */
  readonly verdicts: Map<VerdictCode, number>;
  /** Readings that became verified. */
  readonly verified: { readonly id: number; readonly meter: MeterRecord; readonly row: StoredMessage }[];
}

/** The effects of a commit that has changed nothing yet. */
export function noEffects(): Effects {
  return { statementsChanged: false, inputs: new Map(), verified: [], verdicts: new Map() };
}

/** Notes that something came of a meter that points may be derived from; `window`: the lowest that changed, null: none. */
export function noteInput(inputs: ChangedInputs, meterId: MeterId, window: Window | null): void {
  const before = inputs.get(meterId) ?? null;
  const isLower = before === null || (window !== null && window < before);
  inputs.set(meterId, isLower ? window : before);
}

/** Counts `n` more messages under a verdict. */
export function add(verdicts: Map<VerdictCode, number>, code: VerdictCode, n: number): void {
  verdicts.set(code, (verdicts.get(code) ?? 0) + n);
}

/** Messages under all verdicts. */
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

/** Rows that may be judged again in one transaction; shared by all that is judged in it. */
export interface Budget {
  left: number;
}
