import { EventCode, SYNCHRONISED_UNCERTAINTY_MS } from '@gridtokenx/protocol';
import { type Clock, ClockSource, type Logger, type ReadingClock } from '@gridtokenx/runtime/core';
import { type ClockChange, ClockWatch } from './clock-watch.js';

/** A step of the clock is news for this long: a quarter of an hour, as long as a window. */
const STEP_SHOWN_MS = 900_000;

/** Tells what is known of the clock that drives readings: its changes, its last step, whether it is right enough. */
export class ClockNews {
  readonly #readingClock: ReadingClock;
  readonly #clock: Clock;
  readonly #log: Logger;
  #watch: ClockWatch | null = null;
  /** The last step of the clock, and when it is no news any more (monotonic ms). */
  #step: { words: string; untilMs: number } | null = null;

  constructor(readingClock: ReadingClock, clock: Clock, log: Logger) {
    this.#readingClock = readingClock;
    this.#clock = clock;
    this.#log = log;
  }

  /** From now on changes are noticed. */
  begin(): void {
    this.#watch = new ClockWatch(this.#readingClock, this.#clock);
  }

  /**
   * Returns the changes since the last call, for an event in each chain: readings depend on the clock [gateway §10.3].
   */
  changes(): readonly ClockChange[] {
    const changes = this.#watch?.check() ?? [];
    for (const { code, value, before } of changes) {
      const signed = BigInt.asIntN(64, value);
      this.#log.warn({ event: 'clock_changed', code, value: signed.toString() }, 'The clock changed');
      // The first source of a machine without a clock corrects it by years, as it must.
      if (code === EventCode.clockStepped && before !== ClockSource.none) this.#stepped(signed);
    }
    return changes;
  }

  #stepped(ms: bigint): void {
    const seconds = Number(ms < 0n ? -ms : ms) / 1_000;
    const words = `the time was corrected ${ms < 0n ? 'back' : 'forward'} by ${seconds} s`;
    this.#step = { words, untilMs: this.#clock.monotonicMs() + STEP_SHOWN_MS };
  }

  /** True while statements may be signed. */
  get isSynchronised(): boolean {
    const uncertainty = this.#readingClock.uncertaintyMs();
    return uncertainty !== null && uncertainty <= SYNCHRONISED_UNCERTAINTY_MS;
  }

  /** Why no statement is signed; null when they are. */
  get problem(): string | null {
    return this.isSynchronised
      ? null
      : `the clock is not synchronised: no statement is signed (${uncertaintyText(this.#readingClock)})`;
  }

  /** The last step, while it is news. */
  get step(): string | null {
    return this.#step && this.#clock.monotonicMs() < this.#step.untilMs ? this.#step.words : null;
  }
}

function uncertaintyText(readingClock: ReadingClock): string {
  const uncertainty = readingClock.uncertaintyMs();
  return uncertainty === null ? 'its error is unknown' : `it may be wrong by ${Math.ceil(uncertainty / 1000)} s`;
}
