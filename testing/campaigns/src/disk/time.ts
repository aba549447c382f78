import { type Clock, ClockSource } from '@gridtokenx/runtime/core';
import { VirtualClock, type VirtualReadingClock } from '@gridtokenx/testing-kit/virtual-clock';

/** Simulated seconds per second, as in the demonstration. */
const SPEED = 200;

/** One time for all processes of a run: real time, and the readings' time that runs ahead of it. */
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

/** Time in whole milliseconds for one process; its timers die with it. Delays are rounded up, as no system is early. */
export function processTime({ clock: all }: SimulatedTime): { clock: Clock; end: () => void } {
  const { clock, end } = all.process();
  return { clock: { ...clock, after: (ms, task) => clock.after(Math.ceil(ms), task) }, end };
}
