import { latestWindow, type MeterWatermark, type Window, windowOf } from '@gridtokenx/protocol';
import { FRESH_STATE, type MeterState } from './meter-state.js';
import type { RecoveredMeter } from './recovery.js';

/**
 * Seqs that are skipped above the highest known one. A power cut or damage that cost the state file may have cost the
 * newest records too, of which some were published.
 */
export const LOST_MARGIN = 1n << 20n;
/** Uncertainty up to which a reading tells which windows are over, ms. */
const KNOWN_MS = 60_000;

/**
 * Makes the state of a meter whose state file is lost, from its messages and the newest acks. Returns null where neither
 * knows the meter: then no seq is certain, and nothing may be signed [gateway §3.4].
 */
export function rebuiltState(recovered: RecoveredMeter, seen: MeterWatermark): MeterState | null {
  const { highestSeq, lastStatement, open, trace } = recovered;
  let highest = highestSeq;
  if (seen.highestSeen > highest) highest = seen.highestSeen;
  if (highest === 0n) return null;
  const closed: Window[] = [FRESH_STATE.closedThrough, seen.highestWindow];
  if (lastStatement) closed.push(lastStatement.window);
  // A statement that was published, and that the disk lost, is of a window before the newest reading's.
  const newest = open.readings.findLast(({ uncertaintyMs }) => (uncertaintyMs ?? KNOWN_MS) < KNOWN_MS);
  if (newest) closed.push(windowOf(newest.timeMs));
  return {
    ...FRESH_STATE,
    reservedThrough: highest + LOST_MARGIN,
    boots: trace.boots,
    closedThrough: closed.reduce((latest, window) => latestWindow(latest, window)),
    discontinuity: trace.broken?.lastGood ?? null,
    discontinuityReason: trace.broken?.reason ?? null,
    doubt: trace.doubt,
    discarded: [...trace.restored].map(({ first, last }) => ({ first: BigInt(first), last: BigInt(last) })),
  };
}
