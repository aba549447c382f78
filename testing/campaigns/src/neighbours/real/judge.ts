import { MAX_SAVED_MESSAGES, MAX_SAVED_REJECTS } from '#oracle/domain/intake/quota.js';
import type { Fixture } from './fixture.js';
import { MAX_FOREIGN_SHARE } from './share.js';
import { percentile, type Watch } from './watch.js';

/** Maximum number of closed windows that a neighbour may lack on chain. */
export const MAX_BEHIND = 2;
export const MAX_API_P95_MS = 250;
export const MAX_MEMORY_FACTOR = 2;
export const MAX_LOG_BYTES_PER_MINUTE = 1_000_000;
/** A stored message: 171 bytes, its row, its places in indexes, and a good reading's point in the time series. */
export const MAX_BYTES_PER_MESSAGE = 1_024;
/** The neighbours' own messages, and logs of SQLite that are overwritten in place, in bytes. */
const SLACK_BYTES = 64 * 1_048_576;
/** A start with a smaller share of the machine proves nothing. */
const MIN_OWN_SHARE = 0.25;
export const MAX_HEAL_MS = 10_000;

export interface Bounds {
  readonly behind: number;
  /** False where services were killed meanwhile: a killed service does not answer. */
  readonly isApiJudged: boolean;
}

/**
 * Returns how many windows neighbours may be behind. While other processes use part of the machine, all work takes
 * longer, and windows come as fast as before.
 */
export function mayBeBehind(windows: number, foreign: number): number {
  if (foreign <= MAX_FOREIGN_SHARE) return windows;
  return Math.ceil(windows / Math.max(MIN_OWN_SHARE, 1 - foreign));
}

/** Returns the faults beside the healing, in words. */
export function judge(
  fixture: Fixture,
  watch: Watch,
  seen: { sent: number; diskBytes: number },
  bounds: Bounds,
): string[] {
  const faults = watch.faults;
  if (watch.chainSamples === 0) faults.push('the chain was never seen');
  const behind = mayBeBehind(bounds.behind, watch.foreign);
  if (watch.behind > behind) faults.push(`${watch.slowest} was ${watch.behind} windows behind, of ${behind}`);
  for (const name of ['API', 'time'] as const) {
    const values = watch.took(name);
    const p95 = percentile(values, 95);
    if (bounds.isApiJudged && p95 > MAX_API_P95_MS)
      faults.push(
        `${name}: p95 of ${values.length} is ${p95.toFixed(0)} ms, p50 ${percentile(values, 50).toFixed(0)} ms; ` +
          `before the attack p95 was ${fixture.apiP95.toFixed(0)} ms`,
      );
  }
  faults.push(...fixture.memoryFaults(watch, MAX_MEMORY_FACTOR));
  if (watch.logBytesPerMinute > MAX_LOG_BYTES_PER_MINUTE)
    faults.push(`logs: ${(watch.logBytesPerMinute / 1_000).toFixed(0)} kB a minute`);
  const messages = Math.min(seen.sent, MAX_SAVED_MESSAGES + MAX_SAVED_REJECTS);
  if (seen.diskBytes > messages * MAX_BYTES_PER_MESSAGE + SLACK_BYTES)
    faults.push(`disk: ${(seen.diskBytes / 1_048_576).toFixed(0)} MiB for ${seen.sent} messages`);
  return faults;
}

/** Returns the figures of a watch; maxima are named by their height. */
export function figuresOf(watch: Watch): Record<string, number> {
  const isShared = watch.foreign > MAX_FOREIGN_SHARE;
  return {
    [isShared ? 'seeds beside other work' : 'seeds alone on the machine']: 1,
    'chain samples': watch.chainSamples,
    'API samples': watch.took('API').length + watch.took('time').length,
    rises: watch.rises,
    'API p95, sum of ms': Math.round(percentile(watch.took('API'), 95)),
    'kB of logs': Math.round(watch.logBytesPerMinute / 1_000),
    [`windows behind at most: ${watch.behind}`]: 1,
  };
}
