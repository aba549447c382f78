import { BackOff, type Random } from '@gridtokenx/runtime/core';
import { type TimeoutBounds, TimeoutEstimate } from './timeouts.js';

/** So many requests without an answer make a unit silent: it is asked rarely, at the cost of nobody else. */
const FAILURES_TO_SILENCE = 3;
const INITIAL_PROBE_MS = 1_000;
/** A unit that comes back is seen within 30 s. */
const LAST_PROBE_MS = 20_000;
/** Answers and failures that the lateness and damage in `status` are of. */
const RECENT = 500;

/** How one unit of a bus is doing. Times are monotonic milliseconds. */
export class UnitHealth {
  readonly unit: number;
  readonly estimate: TimeoutEstimate;
  readonly #backoff: BackOff;
  #failures = 0;
  #silenceBeganAtMs: number | null = null;
  #nextProbeAtMs = 0;
  #lastFailedAtMs = Number.NEGATIVE_INFINITY;
  /** Everything since the start, and shares of the last few hundred requests. */
  readonly recent = { requests: 0, timeouts: 0, damaged: 0, exceptions: 0 };

  constructor(unit: number, bounds: TimeoutBounds, random: Random) {
    this.unit = unit;
    this.estimate = new TimeoutEstimate(bounds);
    this.#backoff = new BackOff({ initialMs: INITIAL_PROBE_MS, maxMs: LAST_PROBE_MS }, random);
  }

  /** Since when the unit does not answer; null while it does. */
  get silenceBeganAtMs(): number | null {
    return this.#silenceBeganAtMs;
  }

  /** When a silent unit is asked again. */
  get nextProbeAtMs(): number {
    return this.#nextProbeAtMs;
  }

  /** When a request last ended without an answer; before all times if none did. */
  get lastFailedAtMs(): number {
    return this.#lastFailedAtMs;
  }

  answered(waitedMs: number, isException: boolean): void {
    this.#count(isException ? 'exceptions' : null);
    // An exception is no measure of how long registers take.
    if (!isException) this.estimate.answered(waitedMs);
    this.#failures = 0;
    this.#silenceBeganAtMs = null;
    this.#backoff.reset();
  }

  failed(nowMs: number, isDamaged: boolean): void {
    this.#count(isDamaged ? 'damaged' : 'timeouts');
    this.estimate.failed();
    this.#lastFailedAtMs = nowMs;
    this.#failures++;
    if (this.#failures < FAILURES_TO_SILENCE) return;
    this.#silenceBeganAtMs ??= nowMs;
    this.#nextProbeAtMs = nowMs + this.#backoff.next();
  }

  #count(what: 'timeouts' | 'damaged' | 'exceptions' | null): void {
    const { recent } = this;
    if (recent.requests >= RECENT) {
      for (const name of Object.keys(recent) as (keyof typeof recent)[]) recent[name] = Math.floor(recent[name] / 2);
    }
    recent.requests++;
    if (what) recent[what]++;
  }
}
