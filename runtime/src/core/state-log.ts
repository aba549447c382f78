import type { Clock } from './clock.js';
import type { LogFields, Logger } from './logger.js';

/** Bounds the reasons that one state names; a further one stands in its end alone. */
export const MAX_REASONS = 8;
/** A state that begins and ends again and again writes one pair of lines in this time, ms. */
export const PAIR_MS = 60_000;
/** Bounds the remembered states. The oldest is forgotten first: its next repetition is a begin again. */
const MAX_STATES = 1_000;

interface State {
  /** Since when it lasts, monotonic ms; null while it is over. */
  sinceMs: number | null;
  /** Repetitions since the last line of an end. */
  count: number;
  /** When its begin was last logged, monotonic ms; null where it never was. */
  loggedAtMs: number | null;
  /** True while its begin is logged and its end is not. */
  isLogged: boolean;
  readonly reasons: Set<string>;
}

/**
 * Logs a state once when it begins and once when it ends, with the count of its repetitions and its duration. Each
 * repetition is a line at debug level only. A new reason (`err`, `problem` or `why`) is a line of its own; its digits do
 * not make it new.
 */
export class StateLog {
  readonly #log: Logger;
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #states = new Map<string, State>();

  constructor(log: Logger, clock: Pick<Clock, 'monotonicMs'>) {
    this.#log = log;
    this.#clock = clock;
  }

  /** Returns true while the state lasts. */
  lasts(key: string): boolean {
    return typeof this.#states.get(key)?.sinceMs === 'number';
  }

  /** Records that a state begins or goes on. */
  holds(key: string, fields: LogFields, message: string, level: 'warn' | 'error' = 'warn'): void {
    const nowMs = this.#clock.monotonicMs();
    const state = this.#stateOf(key);
    state.sinceMs ??= nowMs;
    state.count++;
    if (!this.#isNews(state, fields, nowMs)) {
      this.#log.debug(fields, message);
      return;
    }
    state.isLogged = true;
    const earlier = state.count - 1;
    this.#log[level](
      earlier > 0 ? { ...fields, count: state.count, durationMs: this.#durationMs(state) } : fields,
      message,
    );
  }

  /** Records that a state is over. Logs nothing where it did not last, or where its begin was not logged. */
  ended(key: string, fields: LogFields, message: string): void {
    const state = this.#states.get(key);
    if (!state || state.sinceMs === null) return;
    const told = { ...fields, count: state.count, durationMs: this.#durationMs(state) };
    state.sinceMs = null;
    if (!state.isLogged) {
      this.#log.debug(told, message);
      return;
    }
    state.isLogged = false;
    state.count = 0;
    state.reasons.clear();
    this.#log.info(told, message);
  }

  #durationMs({ sinceMs }: State): number {
    return Math.round(this.#clock.monotonicMs() - (sinceMs ?? 0));
  }

  #stateOf(key: string): State {
    const known = this.#states.get(key);
    if (known) return known;
    const [oldest] = this.#states.keys();
    if (this.#states.size >= MAX_STATES && oldest !== undefined) this.#states.delete(oldest);
    const state: State = { sinceMs: null, count: 0, loggedAtMs: null, isLogged: false, reasons: new Set() };
    this.#states.set(key, state);
    return state;
  }

  /** Returns true for a begin that was not logged within the last minute, and for a reason that is new. */
  #isNews(state: State, fields: LogFields, nowMs: number): boolean {
    const reason = String(fields.err ?? fields.problem ?? fields.why ?? '').replaceAll(/\d+/g, '#');
    if (state.isLogged) {
      if (state.reasons.size >= MAX_REASONS || state.reasons.has(reason)) return false;
    } else {
      if (state.loggedAtMs !== null && nowMs - state.loggedAtMs < PAIR_MS) return false;
      state.loggedAtMs = nowMs;
    }
    state.reasons.add(reason);
    return true;
  }
}
