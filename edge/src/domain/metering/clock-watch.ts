import { EventCode } from '@gridtokenx/protocol';
import { type Clock, ClockSource, type ReadingClock } from '@gridtokenx/runtime/core';

/** A new answer of a source corrects the drift since the one before by far less: what moves by this much is a step. */
const STEP_MS = 1_000;
/** A clock that steps all the time fills no chain of readings with events: it is told in sums. */
const TELL_MS = 60_000;
/** Unknown, as in readings. */
const UNKNOWN = 0xffff_ffffn;

/** Content of an event about the clock. */
export interface ClockChange {
  readonly code: number;
  /** Event 3: the step in ms, i64 in two's complement. Event 4: the uncertainty in ms, 0xFFFFFFFF = unknown. */
  readonly value: bigint;
  readonly detail: ClockSource;
  /** The source before. */
  readonly before: ClockSource;
}

/**
 * Notices that the reading clock was corrected by a step (event 3), or gets its time from elsewhere (event 4)
 * [gateway §10.3]. Steps of the machine's clock do not move it. What there is
 * at the first look is no change. A simulated clock runs at its own speed, so its steps cannot be told from its
 * running.
 */
export class ClockWatch {
  readonly #readingClock: ReadingClock;
  readonly #clock: Clock;
  #offsetMs: number;
  #source: ClockSource;
  #toldAt = Number.NEGATIVE_INFINITY;

  constructor(readingClock: ReadingClock, clock: Clock) {
    this.#readingClock = readingClock;
    this.#clock = clock;
    this.#offsetMs = this.#offset();
    this.#source = readingClock.source();
  }

  /** Returns the changes since the last report; empty within a minute after one. */
  check(): ClockChange[] {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#toldAt < TELL_MS) return [];
    const changes: ClockChange[] = [];
    const source = this.#readingClock.source();
    const sources = { detail: source, before: this.#source };
    const offset = this.#offset();
    const steppedMs = Math.round(offset - this.#offsetMs);
    // Corrections of drift add up over hours, and are no step.
    this.#offsetMs = offset;
    if (source !== ClockSource.simulated && Math.abs(steppedMs) >= STEP_MS)
      changes.push({ ...sources, code: EventCode.clockStepped, value: BigInt.asUintN(64, BigInt(steppedMs)) });
    if (source !== this.#source) {
      const uncertaintyMs = this.#readingClock.uncertaintyMs();
      const value = uncertaintyMs === null ? UNKNOWN : BigInt(Math.ceil(uncertaintyMs));
      changes.push({ ...sources, code: EventCode.clockSourceChanged, value });
      this.#source = source;
    }
    if (changes.length > 0) this.#toldAt = nowMs;
    return changes;
  }

  #offset(): number {
    return this.#readingClock.nowMs() - this.#clock.monotonicMs();
  }
}
