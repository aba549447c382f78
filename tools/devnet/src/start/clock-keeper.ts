import { parseSimulatedClock, positionAt, type SimulatedClock, simulatedNow, WINDOW_MS } from '@gridtokenx/protocol';
import { type Clock, OperatorError } from '@gridtokenx/runtime/core';
import { tooManyWindows } from './plan.js';

/** Real time for which simulated time is reserved ahead: longer than a pause of the keeper, short enough to lose. */
export const RESERVE_AHEAD_MS = 3_000;
/** Simulated time before the profile, in which meters stand still and are enrolled. */
const LEAD_MS = 120_000;

/** The keeper's storage. `save` returns only when the text is durable. */
export interface ClockStore {
  load(): string | null;
  save(text: string): void;
}

/** The profile windows to play. Times in milliseconds; `windows` null: the whole profile. */
export interface PlayPlan {
  readonly profileStartsAtMs: number;
  readonly profileWindows: number;
  readonly windows: number | null;
  readonly speed: number;
}

/**
 * Owns simulated time. The keeper reserves time ahead durably before any process may show it. After an unclean stop,
 * time continues at the reserved end. The profile up to there counts as played, so that no register ever falls. After a
 * clean stop, time continues exactly where it stopped. Profile windows always coincide with clock windows.
 */
export class ClockKeeper {
  readonly #store: ClockStore;
  readonly #real: Pick<Clock, 'nowMs'>;
  #clock: SimulatedClock;
  /** True while simulated time stops at the closing window's end, because a number of windows is to be settled. */
  readonly #holds: boolean;
  #closingEndsAtMs: number;
  /** Number of the first window at zero power: once it is on chain, so is the profile's last watt-hour. */
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
   * Loads or makes the clock, stopped. Throws `OperatorError` where the plan has fewer windows than were already
   * played, or more than the profile.
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
  /** True when the closing window is over (and, with a number of windows requested, simulated time has stopped). */
  get closed(): boolean {
    return this.now() >= this.#closingEndsAtMs;
  }

  /** Lets simulated time run. */
  start(): void {
    this.#clock = { ...this.#clock, anchorSimMs: this.#clock.reservedThroughMs, anchorRealMs: this.#real.nowMs() };
    this.reserve();
  }

  /** Reserves ahead, durably; called more often than every `RESERVE_AHEAD_MS`. */
  reserve(): void {
    const limit = this.#holds ? this.#closingEndsAtMs : Number.POSITIVE_INFINITY;
    const ahead = { ...this.#clock, reservedThroughMs: limit };
    const through = Math.max(this.#clock.reservedThroughMs, simulatedNow(ahead, this.#real.nowMs() + RESERVE_AHEAD_MS));
    this.#save({ ...this.#clock, reservedThroughMs: through });
  }

  /** Adds one more closing window, for a home whose closing statement could not be attested. */
  extendClosing(): void {
    this.#closingEndsAtMs += WINDOW_MS;
    if (!this.#holds) return;
    const at = this.now();
    this.#save({ ...this.#clock, anchorSimMs: at, anchorRealMs: this.#real.nowMs(), reservedThroughMs: at });
    this.reserve();
  }

  /** Stops time at the present; call it after every process that shows time has ended. */
  stop(): void {
    this.#save({ ...this.#clock, reservedThroughMs: this.now() });
  }

  #save(clock: SimulatedClock): void {
    this.#store.save(JSON.stringify(clock));
    this.#clock = clock;
  }
}

/** Returns segments with the new end: lengthens the running segment, or begins another after a finished one. */
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
