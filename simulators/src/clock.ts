import { positionAt, type SimulatedClock, simulatedNow } from '@gridtokenx/protocol';
import type { Clock } from '@gridtokenx/runtime/core';

/** Position in the profile: milliseconds played, and true while it moves. Never falls, also over restarts. */
export interface ProfilePosition {
  now(): { positionMs: number; moving: boolean };
}

/** Derives the position from a simulated clock, for example the one in the launcher's file. */
export function profilePosition(simulated: { current(): SimulatedClock }, real: Pick<Clock, 'nowMs'>): ProfilePosition {
  return {
    now() {
      const clock = simulated.current();
      const sim = simulatedNow(clock, real.nowMs());
      const positionMs = positionAt(clock, sim);
      return { positionMs, moving: positionAt(clock, sim + 1) > positionMs };
    },
  };
}
