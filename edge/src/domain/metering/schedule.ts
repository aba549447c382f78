import { windowEndAtMs, windowOf } from '@gridtokenx/protocol';

export interface PollPlan {
  readonly pollMs: number;
  /** Lead of a window's last poll before its end, ms; at most 60 s. */
  readonly leadMs: number;
}

/**
 * Returns the instant of the next poll, in ms of the reading clock. Polls are on the grid of `pollMs`, and once between
 * `leadMs` before each boundary and the boundary. A boundary poll that failed or was late is due at once, as long as
 * the window runs. `lastGoodAtMs`: time of the last good reading, null for none.
 */
export function nextPollAtMs(nowMs: number, lastGoodAtMs: number | null, plan: PollPlan): number {
  const end = windowEndAtMs(windowOf(nowMs));
  const boundary = end - plan.leadMs;
  const grid = (Math.floor(nowMs / plan.pollMs) + 1) * plan.pollMs;
  if (nowMs < boundary) return Math.min(grid, boundary);
  return lastGoodAtMs === null || lastGoodAtMs < boundary ? nowMs : grid;
}
