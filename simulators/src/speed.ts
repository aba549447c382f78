import { NEAR_BOUNDARY_MS } from '@gridtokenx/protocol';

/** Real milliseconds that a poll may come late and still fall before the boundary it was placed for. */
const WANTED_SLACK_MS = 500;
const MIN_SLACK_MS = 290;
/** The poll's reply must not be older than 60 s at the boundary; 2 s are kept for rounding. */
const MAX_LEAD_MS = NEAR_BOUNDARY_MS - 2_000;
const MIN_LEAD_MS = 5_000;

/**
 * How long before each window's boundary its last poll is placed, in milliseconds of simulated time, at `speed`
 * simulated seconds per second: half a real second where that fits, never below 5 s nor above 58 s.
 */
export function boundaryLeadMs(speed: number): number {
  return Math.min(MAX_LEAD_MS, Math.max(MIN_LEAD_MS, Math.ceil(speed * WANTED_SLACK_MS)));
}

/** The highest speed at which a poll can be placed within 60 simulated seconds of each boundary. */
export function highestSpeed(): number {
  return Math.floor(MAX_LEAD_MS / MIN_SLACK_MS);
}
