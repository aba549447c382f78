import { BackOff, type Random } from '@gridtokenx/runtime/core';
import { BEHIND_CONVERTER } from './exceptions.js';
import { ReadLength } from './read-length.js';
import { type TimeoutBounds, TimeoutEstimate } from './timeouts.js';

/** Requests in a row without an answer after which a unit is silent: it is then probed rarely, at no unit's cost. */
const FAILURES_TO_SILENCE = 3;
const INITIAL_PROBE_MS = 1_000;
/** Longest time between probes, ms: a unit that returns answers within 30 s. */
const LAST_PROBE_MS = 20_000;
/** Requests over which `recent` counts. */
const RECENT = 500;

/** Tracks the health of one unit of a bus. Times are monotonic ms. */
export class UnitHealth {
  readonly unit: number;
  readonly estimate: TimeoutEstimate;
  readonly lengths = new ReadLength();
  readonly #backoff: BackOff;
  #failures = 0;
  #silenceBeganAtMs: number | null = null;
  #nextProbeAtMs = 0;
  #lastFailedAtMs = Number.NEGATIVE_INFINITY;
  /** Counts over the last few hundred requests; `behind`: exceptions by which a converter says that nobody answered. */
  readonly recent = { requests: 0, timeouts: 0, damaged: 0, exceptions: 0, behind: 0 };

  constructor(unit: number, bounds: TimeoutBounds, random: Random) {
    this.unit = unit;
    this.estimate = new TimeoutEstimate(bounds);
    this.#backoff = new BackOff({ initialMs: INITIAL_PROBE_MS, maxMs: LAST_PROBE_MS }, random);
  }

  /** Returns true when the unit answered its last request. */
  get isWell(): boolean {
    return this.#failures === 0;
  }

  /** Returns the instant at which the unit fell silent; null while it answers. */
  get silenceBeganAtMs(): number | null {
    return this.#silenceBeganAtMs;
  }

  /** Returns the instant of the silent unit's next probe. */
  get nextProbeAtMs(): number {
    return this.#nextProbeAtMs;
  }

  /** Returns the instant at which a request last ended without an answer; -Infinity when none did. */
  get lastFailedAtMs(): number {
    return this.#lastFailedAtMs;
  }

  /** Records an answer; `code`: the exception's code, null for data. */
  answered(waitedMs: number, code: number | null): void {
    const isException = code !== null;
    const isBehind = isException && BEHIND_CONVERTER.includes(code);
    this.#count(isBehind ? 'behind' : isException ? 'exceptions' : null);
    // An exception says nothing about how long registers take.
    if (!isException) this.estimate.answered(waitedMs);
    this.#failures = 0;
    this.#silenceBeganAtMs = null;
    this.#backoff.reset();
  }

  /** Removes an exception from the recent ones: the gateway asked for more than the unit answers, and learnt. */
  explained(): void {
    this.recent.exceptions = Math.max(0, this.recent.exceptions - 1);
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

  #count(what: 'timeouts' | 'damaged' | 'exceptions' | 'behind' | null): void {
    const { recent } = this;
    if (recent.requests >= RECENT) {
      for (const name of Object.keys(recent) as (keyof typeof recent)[]) recent[name] = Math.floor(recent[name] / 2);
    }
    recent.requests++;
    if (what) recent[what]++;
  }
}
