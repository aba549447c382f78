import type { LeastPeriod } from '../domain/metering/period.js';

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

/**
 * The period must hold all requests, one time-out and the longest request again [gateway §6.9]. With few
 * lengths it must be longer, or late answers leave none to ask with:
 * - one: it is asked again when no answer to its last request can come any more, a quarantine after the end of that;
 * - two: none is left after a late answer, which costs no more than that poll if the period is as long as a quarantine;
 * - three: none is left after two late answers within a quarantine, which is rare enough in three periods.
 */
export function leastPeriod(demand: PollDemand): LeastPeriod {
  const line = demand.lineMs + demand.timeoutMs + demand.longestMs;
  const rest = restOf(demand);
  return rest > line ? { ms: rest, because: 'lengths' } : { ms: line, because: 'line' };
}

function restOf({ lengths, quarantineMs, timeoutMs, longestMs }: PollDemand): number {
  if (lengths <= 1) return quarantineMs + timeoutMs + longestMs;
  if (lengths === 2) return quarantineMs;
  return lengths === 3 ? quarantineMs / 3 : 0;
}
