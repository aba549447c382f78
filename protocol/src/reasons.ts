/**
 * Reasons why an oracle refuses or delays a message [numbers §2]. Numbers are stable and never reused: ledgers store them and
 * acks carry them. *retry*: not acknowledged; the gateway keeps the message and sends it again. *final*: the verdict stands,
 * and `refused` names a message that was not verified. *final-registry*: final only against registry state that was finalised
 * after the message arrived.
 */
export const Reason = {
  malformed: 1,
  unknownVersion: 2,
  wrongNetwork: 3,
  unknownMeter: 4,
  wrongKey: 5,
  badSignature: 6,
  duplicate: 7,
  equivocation: 8,
  predecessorPending: 9,
  chainBroken: 10,
  registerFell: 11,
  abovePhysicalLimit: 12,
  fromTheFuture: 13,
  beforeEnrolment: 14,
  keySuspended: 15,
  rootMismatch: 16,
  rootNotReproducible: 17,
  storageFailure: 18,
  farFuture: 19,
  windowNotRising: 20,
  unexpectedEnrolment: 21,
  derivationMismatch: 22,
  overQuota: 23,
} as const;
export type Reason = (typeof Reason)[keyof typeof Reason];

export type ReasonClass = 'retry' | 'final' | 'final-registry' | 'note';

const TABLE: Record<Reason, { name: string; class: ReasonClass }> = {
  1: { name: 'malformed', class: 'final' },
  2: { name: 'unknown version', class: 'final' },
  3: { name: 'wrong network', class: 'final' },
  4: { name: 'unknown meter', class: 'retry' },
  5: { name: 'wrong key', class: 'final-registry' },
  6: { name: 'bad signature', class: 'final' },
  7: { name: 'duplicate', class: 'note' },
  8: { name: 'equivocation', class: 'final' },
  9: { name: 'predecessor pending', class: 'note' },
  10: { name: 'chain broken', class: 'final' },
  11: { name: 'register fell', class: 'final' },
  12: { name: 'above physical limit', class: 'final' },
  13: { name: 'from the future', class: 'retry' },
  14: { name: 'before enrolment', class: 'final-registry' },
  15: { name: 'key suspended', class: 'final-registry' },
  16: { name: 'root mismatch', class: 'final' },
  17: { name: 'root not reproducible', class: 'note' },
  18: { name: 'storage failure', class: 'retry' },
  19: { name: 'far in the future', class: 'final' },
  20: { name: 'window not rising', class: 'final' },
  21: { name: 'unexpected enrolment', class: 'final' },
  22: { name: 'derivation mismatch', class: 'final' },
  23: { name: 'over quota', class: 'retry' },
};

/** Returns the plain-English name of a reason, for people and for metrics labels. */
export function reasonName(reason: Reason): string {
  return TABLE[reason].name;
}

/** Returns the class of a reason; see the table's header. */
export function reasonClass(reason: Reason): ReasonClass {
  return TABLE[reason].class;
}

/** Returns true for the number of a known reason. */
export function isReason(value: number): value is Reason {
  return Object.hasOwn(TABLE, value);
}

/** Returns all reasons with their numbers, names and classes, in order: for the vectors and the documentation check. */
export function allReasons(): { number: Reason; name: string; class: ReasonClass }[] {
  return Object.entries(TABLE).map(([number, entry]) => ({ number: Number(number) as Reason, ...entry }));
}

/** A message that the oracle refuses, with the reason of its verdict. The caller records the verdict and never retries. */
export class WireError extends Error {
  override readonly name = 'WireError';
  readonly reason: Reason;
  constructor(reason: Reason, detail: string) {
    super(`${reasonName(reason)}: ${detail}`);
    this.reason = reason;
  }
}
