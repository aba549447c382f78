import { Reason, reasonClass, reasonName } from '@gridtokenx/protocol';

/** Stands for verified where others stand for a reason. */
export const VERIFIED_CODE = 0;

/** `VERIFIED_CODE`, or the number of a reason. This is what the ledger stores. */
export type VerdictCode = typeof VERIFIED_CODE | Reason;

/** What the oracle thinks of one message. `settled` false: it may still change without any hostile message. */
export interface Verdict {
  readonly code: VerdictCode;
  readonly settled: boolean;
}

/** The verdict of a message that is what it should be. */
export const VERIFIED: Verdict = { code: VERIFIED_CODE, settled: true };

/** The verdict for a reason: *retry* reasons and *predecessor pending* are not settled. */
export function refusedFor(reason: Reason, settled = defaultSettled(reason)): Verdict {
  return { code: reason, settled };
}

function defaultSettled(reason: Reason): boolean {
  return reason !== Reason.predecessorPending && reasonClass(reason) !== 'retry';
}

/**
 * True for verdicts that count as verified: they move watermarks [wire §9.1]. *Root not reproducible* is a note on such
 * a one.
 */
export function isAccepted(code: VerdictCode): boolean {
  return code === VERIFIED_CODE || code === Reason.rootNotReproducible;
}

/** True when the gateway is to be told in `refused` that sending again is useless. */
export function isRefused(verdict: Verdict): boolean {
  return verdict.settled && !isAccepted(verdict.code);
}

/** What people and metrics see. */
export function verdictName(code: VerdictCode): string {
  return code === VERIFIED_CODE ? 'verified' : reasonName(code);
}
