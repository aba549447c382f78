import { errorText } from './error-text.js';

/** Result of one condition: plain words for each problem; null or nothing when all is well. */
export type Finding = string | readonly string[] | null | undefined;

/** A condition as a health page shows it. */
export interface Condition {
  readonly name: string;
  /** Plain words; null when all is well. */
  readonly problem: string | null;
  /** Real time since which the problem has lasted without a break, as far as the checks saw it. */
  readonly since_ms: number | null;
}

export interface HealthReport {
  /** False while a condition of the service itself has a problem. */
  readonly ok: boolean;
  readonly problems: readonly string[];
  readonly conditions: readonly Condition[];
}

/** Bounds the named problems of one condition; further ones are counted. */
const MAX_NAMED = 5;
/** Bounds a problem, in characters: it is a line for a person. */
const MAX_PROBLEM_LENGTH = 300;

function wordsOf(check: () => Finding): string[] {
  let found: Finding;
  try {
    found = check();
  } catch (error) {
    found = `it cannot be told: ${errorText(error)}`;
  }
  if (found === null || found === undefined) return [];
  const list = typeof found === 'string' ? [found] : [...found];
  const named = list.slice(0, MAX_NAMED).map((text) => text.slice(0, MAX_PROBLEM_LENGTH));
  return list.length > MAX_NAMED ? [...named, `and ${list.length - MAX_NAMED} more`] : named;
}

/**
 * The named conditions of a service, all of which docs/health.md lists. `Name` makes a condition without a check an error of
 * the types. `now`: real milliseconds. `ofOthers`: conditions that a single client can cause. They are problems for a
 * person, and the service stays ready: else one home could take an oracle from all others.
 */
export class Health<Name extends string> {
  readonly #checks: readonly [Name, () => Finding][];
  readonly #now: () => number;
  readonly #since = new Map<Name, number>();
  readonly #ofOthers: readonly Name[];

  constructor(checks: Readonly<Record<Name, () => Finding>>, now: () => number, ofOthers: readonly Name[] = []) {
    this.#checks = Object.entries(checks) as [Name, () => Finding][];
    this.#now = now;
    this.#ofOthers = ofOthers;
  }

  /** Checks every condition. Never throws. */
  report(): HealthReport {
    const problems: string[] = [];
    const conditions = this.#checks.map(([name, check]): Condition => {
      const words = wordsOf(check);
      if (words.length === 0) {
        this.#since.delete(name);
        return { name, problem: null, since_ms: null };
      }
      const since = this.#since.get(name) ?? this.#now();
      this.#since.set(name, since);
      problems.push(...words);
      return { name, problem: words.join('; '), since_ms: since };
    });
    const isOf = ({ name }: Condition) => this.#ofOthers.some((other) => other === name);
    return { ok: conditions.every((one) => one.problem === null || isOf(one)), problems, conditions };
  }
}
