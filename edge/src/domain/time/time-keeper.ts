import { BackOff, type Clock, type Random } from '@gridtokenx/runtime/core';
import type { Anchor } from './anchor.js';
import type { DisciplinedClock, NtpReport } from './disciplined-clock.js';

/** Interval of the checks for a step of the machine's clock, real ms. */
const STEP_CHECK_MS = 2_000;
/** Intervals of the requests to the daemon that keeps the machine's clock, real ms. */
const NTP_MS = 16_000;
const NTP_UNKNOWN_MS = 4_000;
/** Requests to the oracles while none has answered, real ms. */
const UNANSWERED = { initialMs: 4_000, maxMs: 60_000 };
/** Requests to the oracles after an answer, real ms. */
const ANSWERED_MS = 600_000;
/** Least time between two rounds of requests, real ms: a clock that steps all the time asks no more often. */
const MIN_WAIT_MS = 1_000;
/** A correction of this much may open what a wrong clock kept shut, ms. */
const CORRECTED_MS = 30_000;

export interface TimeSources {
  /** Asks the daemon that keeps the machine's clock; null where none keeps it right. Never rejects. */
  readonly ntp: () => Promise<NtpReport | null>;
  /** Asks the oracles; the median of those that answered, null for none. Never rejects. Null: none can be asked. */
  readonly oracles: (() => Promise<Anchor | null>) | null;
}

export interface TimeKeeperOptions extends TimeSources {
  readonly disciplined: DisciplinedClock;
  readonly clock: Clock;
  readonly random: Pick<Random, 'fraction'>;
  /** Called after the oracles' time was taken. */
  readonly onSigned?: (anchor: Anchor) => void;
  /** Called when a first source, or a correction of at least 30 s, changed the time. */
  readonly onCorrected?: () => void;
}

/** Keeps the disciplined clock right: asks its sources, more often while it is unsure, and at once after a step. */
export class TimeKeeper {
  readonly #options: TimeKeeperOptions;
  readonly #wakers = new Set<() => void>();

  constructor(options: TimeKeeperOptions) {
    this.#options = options;
  }

  /** Runs until aborted. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { oracles } = this.#options;
    await Promise.all([this.#watchSteps(signal), this.#askNtp(signal), oracles && this.#askOracles(oracles, signal)]);
  }

  /** Asks each source once; resolves when all have answered, or failed. */
  async askOnce(): Promise<void> {
    await Promise.all([this.#lookNtp(), this.#options.oracles && this.#lookOracles(this.#options.oracles)]);
  }

  async #watchSteps(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#rest(STEP_CHECK_MS, signal, false);
      this.#noticesStep();
    }
  }

  /** Returns true after a step of the machine's clock, and ends the waits of all sources. */
  #noticesStep(): boolean {
    if (this.#options.disciplined.noticeStep() === 0) return false;
    for (const wake of [...this.#wakers]) wake();
    return true;
  }

  async #askNtp(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#lookNtp();
      await this.#rest(this.#options.disciplined.isKnown ? NTP_MS : NTP_UNKNOWN_MS, signal);
    }
  }

  async #lookNtp(): Promise<void> {
    const { disciplined, ntp } = this.#options;
    this.#noticesStep();
    const report = await ntp();
    // The report may be about the clock as it was before the step.
    if (this.#noticesStep()) return;
    this.#correct(() => disciplined.takeNtp(report));
  }

  async #askOracles(ask: () => Promise<Anchor | null>, signal: AbortSignal): Promise<void> {
    const { random, disciplined } = this.#options;
    const backOff = new BackOff(UNANSWERED, random);
    while (!signal.aborted) {
      const isAnswered = await this.#lookOracles(ask);
      // While NTP contradicts the oracles, an answer of now may end that: they are asked more often, with back-off.
      const isSure = isAnswered && disciplined.isKnown;
      if (isSure) backOff.reset();
      const waitMs = isSure ? ANSWERED_MS * (0.75 + random.fraction() / 4) : backOff.next();
      await this.#rest(waitMs, signal);
    }
  }

  async #lookOracles(ask: () => Promise<Anchor | null>): Promise<boolean> {
    const anchor = await ask();
    if (!anchor) return false;
    this.#correct(() => this.#options.disciplined.takeSigned(anchor));
    this.#options.onSigned?.(anchor);
    return true;
  }

  /** Takes a statement, and reports what it changed. */
  #correct(take: () => void): void {
    const { disciplined, onCorrected } = this.#options;
    const beforeMs = disciplined.nowMs();
    const had = disciplined.hasSource;
    take();
    const isChanged = had !== disciplined.hasSource || Math.abs(disciplined.nowMs() - beforeMs) >= CORRECTED_MS;
    if (isChanged) onCorrected?.();
  }

  /** Waits; a step of the machine's clock ends the wait early where `isWoken`. */
  #rest(ms: number, signal: AbortSignal, isWoken = true): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    const { clock } = this.#options;
    const startedAtMs = clock.monotonicMs();
    return new Promise((resolve) => {
      const end = () => {
        cancel();
        signal.removeEventListener('abort', end);
        this.#wakers.delete(wake);
        resolve();
      };
      let cancel = clock.after(ms, end);
      const wake = () => {
        cancel();
        cancel = clock.after(Math.max(0, startedAtMs + MIN_WAIT_MS - clock.monotonicMs()), end);
      };
      signal.addEventListener('abort', end);
      if (isWoken) this.#wakers.add(wake);
    });
  }
}
