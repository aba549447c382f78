import { NEAR_BOUNDARY_MS } from '@gridtokenx/protocol';

/** Real ms by which a poll may be late and still precede its boundary. */
const WANTED_SLACK_MS = 500;
const MIN_SLACK_MS = 290;
/** The poll's reply must not be older than 60 s at the boundary; the bound leaves 2 s for rounding. */
const MAX_LEAD_MS = NEAR_BOUNDARY_MS - 2_000;
const MIN_LEAD_MS = 5_000;

/**
 * Returns the lead of each window's last poll before its boundary, in ms of simulated time, at `speed` simulated
 * seconds per second. It is half a real second where that fits, never below 5 s nor above 58 s.
 */
export function boundaryLeadMs(speed: number): number {
  return Math.min(MAX_LEAD_MS, Math.max(MIN_LEAD_MS, Math.ceil(speed * WANTED_SLACK_MS)));
}

/** Returns the highest speed at which a poll fits into 60 simulated seconds before each boundary. */
export function highestSpeed(): number {
  return Math.floor(MAX_LEAD_MS / MIN_SLACK_MS);
}
