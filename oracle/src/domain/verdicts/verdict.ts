import { Reason, reasonClass, reasonName } from '@gridtokenx/protocol';

/** Means verified, in place of a reason. */
export const VERIFIED_CODE = 0;

/** `VERIFIED_CODE`, or the number of a reason; the ledger stores this number. */
export type VerdictCode = typeof VERIFIED_CODE | Reason;

/** The oracle's decision on one message. `settled` false: the verdict may still change without any hostile message. */
export interface Verdict {
  readonly code: VerdictCode;
  readonly settled: boolean;
}

/** The verdict of a valid message. */
export const VERIFIED: Verdict = { code: VERIFIED_CODE, settled: true };

/** Returns the verdict for a reason: *retry* reasons and *predecessor pending* are not settled. */
export function refusedFor(reason: Reason, settled = defaultSettled(reason)): Verdict {
  return { code: reason, settled };
}

function defaultSettled(reason: Reason): boolean {
  return reason !== Reason.predecessorPending && reasonClass(reason) !== 'retry';
}

/**
 * Returns true for verdicts that count as verified: they move watermarks [wire §9.1]. *Root not reproducible* is a note
 * on a verified statement.
 */
export function isAccepted(code: VerdictCode): boolean {
  return code === VERIFIED_CODE || code === Reason.rootNotReproducible;
}

/** Returns true when `refused` must tell the gateway that sending again is useless. */
export function isRefused(verdict: Verdict): boolean {
  return verdict.settled && !isAccepted(verdict.code);
}

/** Returns the verdict's name for people and metrics. */
export function verdictName(code: VerdictCode): string {
  return code === VERIFIED_CODE ? 'verified' : reasonName(code);
}
