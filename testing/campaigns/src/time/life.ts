import { type Window, windowEndAtMs, windowOf } from '@gridtokenx/protocol';
import { type Clock, sleep } from '@gridtokenx/runtime/core';
import { quietLog } from '@gridtokenx/testing-kit/quiet-log';
import type { FloorTime } from '#edge/adapters/clock/floor.js';
import { ClockNews } from '#edge/domain/metering/clock-news.js';
import { Meter } from '#edge/domain/metering/meter.js';
import type { MeterReader } from '#edge/domain/ports.js';
import type { MeterJournal } from '#edge/domain/signing/meter-journal.js';
import type { RecoveredMeter } from '#edge/domain/signing/recovery.js';
import type { DisciplinedClock } from '#edge/domain/time/disciplined-clock.js';
import { LIMIT_W, registersAt } from '../disk/world.js';
import { START_MS, type TimeWorld } from './world.js';

export const PLAN = { pollMs: 60_000, leadMs: 5_000 };
/** Interval of the checks for changes of the clock, ms, as the gateway's. */
const CHECK_MS = 2_000;
/** Time of an answer on the bus, ms. */
const READ_MS = 30;
/** Time after the end of the second window by which its statement is there, ms: a poll, and two checks. */
const LATE_MS = 75_000;
/** Time from an answer of an oracle to a session with the broker, ms. */
const SIGN_IN_MS = 1_000;

/** Counts of a trial. */
export const FIGURES = {
  trials: 0,
  lives: 0,
  'power cuts': 0,
  steps: 0,
  readings: 0,
  'readings of an unknown time': 0,
  'windows from an unknown time': 0,
  statements: 0,
  'good statements': 0,
  'first good statements': 0,
  'first answers': 0,
  disputes: 0,
  'floors lowered': 0,
};
export type Figures = Record<keyof typeof FIGURES, number>;

/** Parts of one run of the gateway, from a boot to a power cut. */
export interface LifeParts {
  readonly world: TimeWorld;
  readonly clock: Clock;
  readonly disciplined: DisciplinedClock;
  readonly floor: FloorTime;
  readonly journal: MeterJournal;
  readonly recovered: RecoveredMeter;
  readonly figures: Figures;
  readonly fault: (words: string) => void;
  readonly isSignedIn: () => boolean;
}

/** Polls, closes windows and tells changes of the clock, as the gateway does; checks the promises about time. */
export class Life {
  readonly #parts: LifeParts;
  #undated = 0;
  /** True time since which the time has been known without a break, ms; null while it is not. */
  #knownSinceMs: number | null = null;
  #awaitsGood = true;
  #hasAnswer = false;
  #isDisputed = false;

  constructor(parts: LifeParts) {
    this.#parts = parts;
  }

  /** Runs until its clock's process ends. */
  async run(): Promise<void> {
    const { clock, disciplined: readingClock, journal, recovered } = this.#parts;
    const meter = new Meter({
      ...{ name: 'main', serial: '', profileName: 'simulated', journal, recovered, reader: this.#reader() },
      limits: { importLimitW: LIMIT_W, exportLimitW: LIMIT_W, stepWh: 2 },
      ...{ plan: PLAN, readingClock, clock, logger: quietLog, counters: { add: () => undefined } },
    });
    const canClose = () => readingClock.isKnown;
    await Promise.all([meter.run(canClose, new AbortController().signal), this.#watch()]);
  }

  /** A good statement was committed. */
  good(): void {
    if (this.#awaitsGood) this.#parts.figures['first good statements']++;
    this.#awaitsGood = false;
  }

  /** The oracles' time was taken: from now on the time is right, and sign-in works. */
  async answered(latestMs: number): Promise<void> {
    const { world, disciplined, floor, figures, clock, fault, isSignedIn } = this.#parts;
    const before = floor.ms;
    await floor.lower(latestMs);
    if (floor.ms < before) figures['floors lowered']++;
    if (this.#hasAnswer) return;
    this.#hasAnswer = true;
    figures['first answers']++;
    const wrongMs = disciplined.nowMs() - world.trueMs;
    if (Math.abs(wrongMs) > 60_000) fault(`wrong by ${wrongMs} ms after the first answer of the oracles`);
    if (!disciplined.dispute && !disciplined.isKnown) fault('the time is not known after an answer of the oracles');
    await sleep(clock, SIGN_IN_MS);
    if (!isSignedIn()) fault('no sign-in after the first answer of the oracles');
  }

  /** Reads the meter's registers as its bus does, at the true time. */
  #reader(): MeterReader {
    const { clock, disciplined, world, figures } = this.#parts;
    return {
      read: async () => {
        await sleep(clock, READ_MS);
        const uncertaintyMs = disciplined.uncertaintyMs();
        figures.readings++;
        if (!disciplined.isKnown) figures['readings of an unknown time']++;
        return {
          ...{ timeMs: disciplined.nowMs(), uncertaintyMs, steadyMs: disciplined.steadyMs() },
          ...{ ...registersAt(world.trueMs, START_MS), powerW: -4_000, voltageDv: 2_300, frequencyChz: 5_000 },
          ...{ raw: Uint8Array.of(1, 2, 3, 4), resolutionWh: 1n, against: [] },
        };
      },
    };
  }

  async #watch(): Promise<void> {
    const { clock, disciplined, journal, figures } = this.#parts;
    const news = new ClockNews(disciplined, clock, quietLog);
    news.begin();
    for (;;) {
      await sleep(clock, CHECK_MS);
      for (const change of news.changes()) await journal.event(change.code, change);
      const isDisputed = disciplined.dispute !== null;
      if (isDisputed && !this.#isDisputed) figures.disputes++;
      this.#isDisputed = isDisputed;
      if (journal.windows.undated < this.#undated) figures['windows from an unknown time']++;
      this.#undated = journal.windows.undated;
      this.#checkGood();
    }
  }

  /** The first good statement comes within two windows of the first right time. */
  #checkGood(): void {
    const { disciplined, world, fault } = this.#parts;
    if (!disciplined.isKnown) {
      this.#knownSinceMs = null;
      this.#awaitsGood = true;
      return;
    }
    this.#knownSinceMs ??= world.trueMs;
    const second = (windowOf(this.#knownSinceMs) + 1) as Window;
    if (!this.#awaitsGood || world.trueMs < windowEndAtMs(second) + LATE_MS) return;
    this.#awaitsGood = false;
    fault(`no good statement by ${world.trueMs}, and the time has been known since ${this.#knownSinceMs}`);
  }
}
