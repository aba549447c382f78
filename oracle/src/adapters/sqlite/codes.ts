import { Kind, Reason } from '@gridtokenx/protocol';
import { VERIFIED_CODE, type VerdictCode } from '../../domain/verdicts/verdict.js';

/** Codes as SQL lists them. They are part of statements' texts, as of the indexes': a bound value would use no index. */
const list = (...codes: readonly (VerdictCode | Kind)[]) => `(${codes.join(', ')})`;

/** Verdicts that count as verified. */
export const ACCEPTED = list(VERIFIED_CODE, Reason.rootNotReproducible);
/** Verdicts that a gateway is not told of as refused: accepted ones, and those that only wait. */
export const NOT_REFUSED = list(
  VERIFIED_CODE,
  Reason.predecessorPending,
  Reason.fromTheFuture,
  Reason.rootNotReproducible,
);
/** Verdicts on stored messages that a newer registry state may change. */
export const WAITS_FOR_REGISTRY = list(Reason.wrongKey, Reason.beforeEnrolment);
/** Kinds that are links of the chain of hashes. */
export const LINKED_KINDS = list(Kind.reading, Kind.event);

export const READING = Kind.reading;
export const STATEMENT = Kind.statement;
export const PENDING = Reason.predecessorPending;
export const WRONG_KEY = Reason.wrongKey;
export const UNKNOWN_METER = Reason.unknownMeter;
