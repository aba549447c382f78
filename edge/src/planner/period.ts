import type { LeastPeriod } from '../domain/metering/period.js';

/** Facts that bound a meter's poll period, in ms. */
export interface PollDemand {
  /** Line time of one poll of every meter on the same line, this one included. */
  readonly lineMs: number;
  /** Line time of this meter's longest request with its answer. */
  readonly longestMs: number;
  /** Time-out in force for this meter, and the quarantine of a length after a time-out. */
  readonly timeoutMs: number;
  readonly quarantineMs: number;
  /** Different lengths by which the energy can be read. */
  readonly lengths: number;
}

/**
 * Returns the shortest poll period. It holds all requests, one time-out and the longest request again [gateway §6.9]. With
 * few lengths it must be longer, because late answers put lengths into quarantine:
 * - one: the length is free when no answer to its last request can come any more, a quarantine after that request's end;
 * - two: a late answer leaves no length free; a period as long as a quarantine limits the loss to that poll;
 * - three: two late answers within a quarantine leave no length free, which is rare enough in three periods.
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
