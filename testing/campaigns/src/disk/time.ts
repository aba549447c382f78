import { type Clock, ClockSource } from '@gridtokenx/runtime/core';
import { VirtualClock, type VirtualReadingClock } from '@gridtokenx/testing-kit/virtual-clock';

/** Simulated seconds per second, as in the demonstration. */
const SPEED = 200;

/** One time for all processes of a run: real time, and the readings' time that runs ahead of it. */
export interface SimulatedTime {
  readonly real: VirtualClock;
  readonly reading: VirtualReadingClock;
}

export function simulatedTime(): SimulatedTime {
  const real = new VirtualClock({ speed: SPEED });
  const { reading } = real;
  reading.from = ClockSource.simulated;
  return { real, reading };
}

/** Time in whole milliseconds for one process; its timers die with it. Delays are rounded up, as no system is early. */
export function processTime({ real }: SimulatedTime): { clock: Clock; end: () => void } {
  const { clock, end } = real.process();
  return { clock: { ...clock, after: (ms, task) => clock.after(Math.ceil(ms), task) }, end };
}
