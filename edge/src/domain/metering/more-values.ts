import type { ReadingClock } from '@gridtokenx/runtime/core';
import { VALUE_NAMES } from '../../profiles/more-values.js';
import { type FurtherSample, type MeterReader, ReadError, ReadFailure } from '../ports.js';
import type { MeterJournal } from '../signing/meter-journal.js';

export interface MoreValuesOptions {
  readonly reader: MeterReader;
  readonly journal: Pick<MeterJournal, 'moreValues'>;
  readonly readingClock: Pick<ReadingClock, 'steadyMs'>;
  /** Receives what a read or the disk threw, other than a failed read. */
  readonly failed: (error: unknown) => void;
}

/** Least time between two reads of the values, ms of the reading clock. */
const EACH_MS = 60_000;
/** Part of it by which a read may come early: polls do not come on the millisecond. */
const EARLY_MS = 2_000;

/** Reads the values of a meter that are never billed, and signs them, at most once a minute. */
export class MoreValues {
  readonly #options: MoreValuesOptions;
  #newest: FurtherSample | null = null;
  #nextAtMs = Number.NEGATIVE_INFINITY;
  #isBusy = false;

  constructor(options: MoreValuesOptions) {
    this.#options = options;
  }

  /** Returns the newest values in the units of `VALUE_NAMES`, with their time; null before the first. */
  view(): Record<string, number> | null {
    if (!this.#newest) return null;
    const { timeMs, values } = this.#newest;
    const named = values.flatMap(({ code, value }) => {
      const { name, parts } = VALUE_NAMES.get(code) ?? {};
      return name && parts ? [[name, value / parts]] : [];
    });
    return { time_ms: timeMs, ...Object.fromEntries(named) };
  }

  /** Reads and signs the values when a minute is over. Call it after each reading, and do not wait: it never rejects. */
  async follow(): Promise<void> {
    const { reader, journal, readingClock, failed } = this.#options;
    const startAtMs = readingClock.steadyMs();
    if (this.#isBusy || startAtMs < this.#nextAtMs || !reader.further) return;
    this.#isBusy = true;
    try {
      const sample = await reader.further();
      this.#nextAtMs = startAtMs + EACH_MS - EARLY_MS;
      if (!sample) return;
      this.#newest = sample;
      await journal.moreValues(sample);
    } catch (error) {
      // While the unit rests nothing was sent: the next poll tries again.
      const isResting = error instanceof ReadError && error.failure === ReadFailure.resting;
      if (!isResting) this.#nextAtMs = startAtMs + EACH_MS - EARLY_MS;
      if (!(error instanceof ReadError)) failed(error);
    } finally {
      this.#isBusy = false;
    }
  }
}
