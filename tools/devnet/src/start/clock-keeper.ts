import { parseSimulatedClock, positionAt, type SimulatedClock, simulatedNow, WINDOW_MS } from '@gridtokenx/protocol';
import { type Clock, OperatorError } from '@gridtokenx/runtime/core';
import { tooManyWindows } from './plan.js';

/** Real time for which simulated time is reserved ahead: longer than a pause of the keeper, short enough to lose. */
export const RESERVE_AHEAD_MS = 3_000;
/** Simulated time before the profile in which meters stand still and are enrolled. */
const LEAD_MS = 120_000;

/** What the keeper needs of the world. `save` returns only when the text is durable. */
export interface ClockStore {
  load(): string | null;
  save(text: string): void;
}

/** What is to be played. Times in milliseconds, `windows` null = the whole profile. */
export interface PlayPlan {
  readonly profileStartsAtMs: number;
  readonly profileWindows: number;
  readonly windows: number | null;
  readonly speed: number;
}

/**
 * Owner of simulated time. Time is reserved ahead durably before any process may show it: after a stop that was not
 * clean it goes on at the reserved end, and the profile up to there counts as played, so that no register ever falls;
 * after a clean stop it goes on exactly where it stopped. Profile windows always lie on clock windows.
 */
export class ClockKeeper {
  readonly #store: ClockStore;
  readonly #real: Pick<Clock, 'nowMs'>;
  #clock: SimulatedClock;
  /** Simulated time does not pass the closing window's end while a number of windows is settled. */
  readonly #holds: boolean;
  #closingEndsAtMs: number;
  /** Number of the first window at zero power: when it is on chain, so is the profile's last watt-hour. */
  readonly closingWindow: number;
  readonly targetWindows: number;

  private constructor(
    store: ClockStore,
    real: Pick<Clock, 'nowMs'>,
    clock: SimulatedClock,
    target: { playEndsAtMs: number; windows: number; hold: boolean },
  ) {
    this.#store = store;
    this.#real = real;
    this.#clock = clock;
    this.#holds = target.hold;
    this.#closingEndsAtMs = target.playEndsAtMs + WINDOW_MS;
    this.closingWindow = target.playEndsAtMs / WINDOW_MS;
    this.targetWindows = target.windows;
  }

  /**
   * Loads or makes the clock, standing still. Throws `OperatorError` where the plan asks for fewer windows than were
   * already played, or more than the profile has.
   */
  static open(store: ClockStore, plan: PlayPlan, real: Pick<Clock, 'nowMs'>): ClockKeeper {
    const windows = plan.windows ?? plan.profileWindows;
    if (windows > plan.profileWindows) {
      throw tooManyWindows(windows, plan.profileWindows);
    }
    const endAtMs = windows * WINDOW_MS;
    const text = store.load();
    const before = text === null ? null : parseSimulatedClock(text);
    const at = before ? before.reservedThroughMs : plan.profileStartsAtMs - LEAD_MS;
    const segments = before
      ? extend(before, at, endAtMs)
      : [{ simStartMs: plan.profileStartsAtMs, positionStartMs: 0, positionEndMs: endAtMs }];
    const last = segments.at(-1);
    if (!last) throw new Error('a clock without a segment');
    const clock: SimulatedClock = {
      version: 1,
      speed: plan.speed,
      anchorSimMs: at,
      anchorRealMs: real.nowMs(),
      reservedThroughMs: at,
      segments,
    };
    const playEndsAtMs = last.simStartMs + endAtMs - last.positionStartMs;
    store.save(JSON.stringify(clock));
    return new ClockKeeper(store, real, clock, { playEndsAtMs, windows, hold: plan.windows !== null });
  }

  get clock(): SimulatedClock {
    return this.#clock;
  }
  now(): number {
    return simulatedNow(this.#clock, this.#real.nowMs());
  }
  /** True when the closing window is over (and, with a number of windows asked for, simulated time stands). */
  get closed(): boolean {
    return this.now() >= this.#closingEndsAtMs;
  }

  /** Lets simulated time run. */
  start(): void {
    this.#clock = { ...this.#clock, anchorSimMs: this.#clock.reservedThroughMs, anchorRealMs: this.#real.nowMs() };
    this.reserve();
  }

  /** Reserves ahead, durably; called more often than `RESERVE_AHEAD_MS`. */
  reserve(): void {
    const limit = this.#holds ? this.#closingEndsAtMs : Number.POSITIVE_INFINITY;
    const ahead = { ...this.#clock, reservedThroughMs: limit };
    const through = Math.max(this.#clock.reservedThroughMs, simulatedNow(ahead, this.#real.nowMs() + RESERVE_AHEAD_MS));
    this.#save({ ...this.#clock, reservedThroughMs: through });
  }

  /** One more closing window, for a home whose closing statement could not be attested. */
  extendClosing(): void {
    this.#closingEndsAtMs += WINDOW_MS;
    if (!this.#holds) return;
    const at = this.now();
    this.#save({ ...this.#clock, anchorSimMs: at, anchorRealMs: this.#real.nowMs(), reservedThroughMs: at });
    this.reserve();
  }

  /** Stops time where it is; call it after every process that shows time has ended. */
  stop(): void {
    this.#save({ ...this.#clock, reservedThroughMs: this.now() });
  }

  #save(clock: SimulatedClock): void {
    this.#store.save(JSON.stringify(clock));
    this.#clock = clock;
  }
}

/** Segments with the new end: the running one is lengthened, after a finished one another begins. */
function extend(before: SimulatedClock, atMs: number, endAtMs: number) {
  const played = positionAt(before, atMs);
  const last = before.segments.at(-1);
  if (!last) throw new Error('a clock without a segment');
  if (endAtMs < played) {
    const done = Math.ceil(played / WINDOW_MS);
    const problem = `it counts from the first start, and ${done} were played already`;
    const advice = `give ${done} or more, or start afresh with another --data`;
    throw new OperatorError({ code: 'option', key: '--windows', problem, advice });
  }
  const finished = last.positionEndMs !== null && played >= last.positionEndMs;
  if (!finished) return [...before.segments.slice(0, -1), { ...last, positionEndMs: endAtMs }];
  if (endAtMs === played) return before.segments;
  const playEndsAtMs = last.simStartMs + played - last.positionStartMs;
  const simStartMs = Math.ceil(Math.max(atMs, playEndsAtMs + WINDOW_MS) / WINDOW_MS) * WINDOW_MS;
  return [...before.segments, { simStartMs, positionStartMs: played, positionEndMs: endAtMs }];
}
