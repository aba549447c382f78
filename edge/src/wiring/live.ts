import type { HealthView } from '@gridtokenx/runtime/node';
import type { CounterName } from '../domain/ports.js';

/** Longest time without a commit while the spool accepts no writes, and margin of a late poll, ms. */
const MAX_STILL_MS = 60_000;
/** Periods without a poll after which the process counts as stuck. */
const MAX_PERIODS = 3;

/** Names the parts of the gateway that show its progress. */
export interface LiveParts {
  /** Returns the time since one of the counters last rose, ms; null when none ever rose. */
  readonly sinceMs: (...names: readonly CounterName[]) => number | null;
  /** Time since the start, ms. */
  readonly upMs: () => number;
  /** Shortest poll period, ms; null while nothing is polled in real time. */
  readonly pollMs: () => number | null;
  readonly spoolProblem: () => string | null;
}

/** Says whether the process makes progress: it polls its meters, whatever they answer, and commits what it signs. */
export function livenessOf({ sinceMs, upMs, pollMs, spoolProblem }: LiveParts): () => HealthView {
  return () => {
    const problems: string[] = [];
    const periodMs = pollMs();
    const stillMs = sinceMs('polls') ?? upMs();
    if (periodMs !== null && stillMs > MAX_PERIODS * periodMs + MAX_STILL_MS)
      problems.push(`no meter was polled for ${Math.round(stillMs / 1_000)} s`);
    const uncommittedMs = sinceMs('readings', 'statements', 'events') ?? upMs();
    const why = spoolProblem();
    if (why !== null && uncommittedMs > MAX_STILL_MS)
      problems.push(`nothing was committed for ${Math.round(uncommittedMs / 1_000)} s: ${why}`);
    return { ok: problems.length === 0, problems };
  };
}
