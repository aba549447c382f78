import type { HealthReport } from '@gridtokenx/runtime';

/** A service whose parts a test can break one by one. */
export interface Staged {
  readonly report: () => HealthReport;
  /** Words that the problem must have, once `spoil` was called. */
  readonly words: RegExp;
  readonly spoil: () => void | Promise<void>;
  /** Conditions that are wrong beside the staged one, because one thing brings the other. */
  readonly also?: readonly string[];
  readonly end?: () => void | Promise<void>;
}

/** Makes a whole service and says how one of its conditions is spoiled. */
export type Stage = () => Staged | Promise<Staged>;

/** A clock that is a minute later whenever it is asked, so that nothing is kept from before. */
export function everLater(): () => number {
  let ms = 0;
  return () => {
    ms += 60_000;
    return ms;
  };
}
