import { type Finding, Health, type HealthReport } from '@gridtokenx/runtime/core';

/** The conditions of `npm start`; docs/health.md has a row for each. */
export const START_CONDITIONS = ['processes', 'services', 'simulated clock'] as const;
export type StartCondition = (typeof START_CONDITIONS)[number];

/** Names the parts of the start that health looks at. */
export interface StartParts {
  readonly supervisor: { problems(): readonly string[] };
  /** Problems that the services report themselves. */
  readonly services: { problems(): readonly string[] };
  /** Returns why simulated time stands still, in words; null when it runs. */
  readonly clock: () => string | null;
  /** Returns real time, ms. */
  readonly now: () => number;
}

/** Builds the health report of a start, which running.json holds beside the process ids. */
export function startHealth({ supervisor, services, clock, now }: StartParts): { report(): HealthReport } {
  const checks: Record<StartCondition, () => Finding> = {
    processes: () => supervisor.problems(),
    services: () => services.problems(),
    'simulated clock': clock,
  };
  return new Health(checks, now);
}
