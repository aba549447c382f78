import { type Clock, ClockSource } from '@gridtokenx/runtime/core';
import { VirtualClock, type VirtualReadingClock } from '@gridtokenx/testing-kit/virtual-clock';

/** Simulated seconds per second, as in the demonstration. */
const SPEED = 200;

/** One time for all processes of a run: real time, and the faster time of readings. */
export interface SimulatedTime {
  readonly clock: VirtualClock;
  readonly reading: VirtualReadingClock;
}

export function simulatedTime(): SimulatedTime {
  const clock = new VirtualClock({ speed: SPEED });
  const { reading } = clock;
  reading.from = ClockSource.simulated;
  return { clock, reading };
}

/**
 * Returns the time of one process in whole milliseconds; its timers end with it. Delays are rounded up, because no
 * system is early.
 */
export function processTime({ clock: all }: SimulatedTime): { clock: Clock; end: () => void } {
  const { clock, end } = all.process();
  return { clock: { ...clock, after: (ms, task) => clock.after(Math.ceil(ms), task) }, end };
}
