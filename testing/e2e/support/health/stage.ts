import type { HealthReport } from '@gridtokenx/runtime';

/** A service whose parts a test can break one by one. */
export interface Staged {
  readonly report: () => HealthReport;
  /** Words that the problem must contain after `spoil`. */
  readonly words: RegExp;
  readonly spoil: () => void | Promise<void>;
  /** Further conditions that fail with the staged one, because they have the same cause. */
  readonly also?: readonly string[];
  readonly end?: () => void | Promise<void>;
}

/** Makes a whole service and the means to spoil one of its conditions. */
export type Stage = () => Staged | Promise<Staged>;

/** Returns a clock that advances a minute with each reading, so that nothing stays cached. */
export function everLater(): () => number {
  let ms = 0;
  return () => {
    ms += 60_000;
    return ms;
  };
}
