import type { LeastPeriod } from '../domain/period.js';

/** What decides how often a meter can be polled. Milliseconds. */
export interface PollDemand {
  /** Line time of one poll of every meter on the same line, this one included. */
  readonly lineMs: number;
  /** Line time of this meter's longest request with its answer. */
  readonly longestMs: number;
  /** Time-out in force for this meter, and how long a length is kept back after one. */
  readonly timeoutMs: number;
  readonly quarantineMs: number;
  /** Different lengths by which the energy can be read. */
  readonly lengths: number;
}

/** So many lengths carry a meter through late answers without a rest. */
const ENOUGH_LENGTHS = 3;

/**
 * The period must hold all requests, one time-out and the longest request again (gateway: Zero misattribution). A meter
 * that is read by one length only is asked again when no answer to its last request can come any more, a quarantine after
 * the end of that; one with two lengths has none left after a late answer, and loses no more than that poll if its period
 * is as long as a quarantine.
 */
export function leastPeriod(demand: PollDemand): LeastPeriod {
  const { lineMs, longestMs, timeoutMs, quarantineMs, lengths } = demand;
  const line = lineMs + timeoutMs + longestMs;
  if (lengths >= ENOUGH_LENGTHS) return { ms: line, because: 'line' };
  const rest = quarantineMs + (lengths === 1 ? timeoutMs + longestMs : 0);
  return rest > line ? { ms: rest, because: 'lengths' } : { ms: line, because: 'line' };
}
