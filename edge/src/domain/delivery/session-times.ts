import type { Clock } from '@gridtokenx/runtime/core';

/** Dates the texts of a session. */
export class SessionTimes {
  readonly #clock: Clock;
  #session = '';
  /** When the session began, monotonic ms. */
  #beganAtMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Returns when a session began, by the clock of now, and now. A session begins with the first call for it: its will. */
  of(session: string): { readonly sinceMs: number; readonly statedMs: number } {
    const monotonicMs = this.#clock.monotonicMs();
    if (this.#session !== session) [this.#session, this.#beganAtMs] = [session, monotonicMs];
    const statedMs = Math.floor(this.#clock.nowMs());
    return { sinceMs: Math.floor(statedMs - (monotonicMs - this.#beganAtMs)), statedMs };
  }
}
