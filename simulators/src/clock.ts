import { positionAt, type SimulatedClock, simulatedNow } from '@gridtokenx/protocol';
import type { Clock } from '@gridtokenx/runtime/core';

/** Where the profile stands: milliseconds played, and whether it moves. Never falls, whoever restarts. */
export interface ProfilePosition {
  now(): { positionMs: number; moving: boolean };
}

/** The position that a simulated clock gives, for example the one in the launcher's file. */
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
