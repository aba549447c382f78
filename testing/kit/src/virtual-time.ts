import { VirtualClock, VirtualReadingClock } from './virtual-clock.js';

/** Turns of the event loop that a real disk's promises need between two timers. */
const TURNS = 20;

/** A virtual clock, and the reading clock that runs `speed` times faster on it. */
export class VirtualTime extends VirtualClock {
  readonly clock: VirtualReadingClock;

  constructor(startMs = Date.UTC(2026, 0, 1), speed = 1) {
    super({ startMs, turns: TURNS });
    this.clock = new VirtualReadingClock(this, { speed });
  }
}

/** Gives every promise that can settle without time passing its turn. */
export function settle(): Promise<void> {
  return new VirtualClock({ turns: TURNS }).settle();
}
