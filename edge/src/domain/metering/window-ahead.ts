import { type Window, windowEndAtMs, windowOf } from '@gridtokenx/protocol';
import type { ReadingClock } from '@gridtokenx/runtime/core';
import { isSynchronised } from '../signing/meter-payloads.js';

/**
 * Says to a person that statements were signed for windows to come, because a known time was wrong; null otherwise, and
 * while the time is unknown. Windows must rise, so this key can sign no statement until then.
 */
export function aheadProblem(
  closedThrough: Window,
  clock: Pick<ReadingClock, 'nowMs' | 'uncertaintyMs'>,
): string | null {
  if (!isSynchronised(clock.uncertaintyMs()) || closedThrough <= windowOf(clock.nowMs())) return null;
  const until = new Date(windowEndAtMs(closedThrough)).toISOString().slice(0, 16).replace('T', ' ');
  return `its last statement is for a window that ends at ${until} (UTC), because the time was wrong: no statement until then, so ask your utility for another key`;
}
