import type { PollPlan } from './schedule.js';

/** The shortest poll period that a meter's line allows, real ms, and its cause. */
export interface LeastPeriod {
  readonly ms: number;
  /** `line`: the time of all requests on the line; `lengths`: the meter can be read by too few lengths. */
  readonly because: 'line' | 'lengths';
}

/** Steps in which a period is lengthened, ms: small changes of a time-out then move no poll. */
const STEP_MS = 1_000;

/** Returns the configured plan, or a plan with a longer period where the line needs it [gateway §6.9]. */
export function planFor(plan: PollPlan, least: LeastPeriod | null): PollPlan {
  if (!least || least.ms <= plan.pollMs) return plan;
  return { ...plan, pollMs: STEP_MS * Math.ceil(least.ms / STEP_MS) };
}

/** Says why a meter is polled less often than configured, and what helps; null when it is not. */
export function slowPollMessage(plan: PollPlan, least: LeastPeriod | null): string | null {
  const { pollMs } = planFor(plan, least);
  if (!least || pollMs === plan.pollMs) return null;
  const seconds = pollMs / 1_000;
  const words = `is polled every ${seconds} s, not every ${plan.pollMs / 1_000} s`;
  return least.because === 'lengths'
    ? `${words}: too few request lengths can read its registers, so it rests after each late answer. Set poll_seconds to ${seconds}`
    : `${words}: its line needs that time for all requests, one time-out and one repeated request. Set poll_seconds to ${seconds}, or use a faster line or fewer meters`;
}
