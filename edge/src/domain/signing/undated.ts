import { Quality } from '@gridtokenx/protocol';

/** A good reading that was signed while the time was not known. */
export interface UndatedReading {
  /** Steady time of this run, ms. */
  readonly steadyMs: number;
  readonly importWh: bigint;
  readonly exportWh: bigint;
  readonly quality: number;
}

/** An instant that both clocks name, ms. */
export interface Instant {
  /** Reading clock, known to be right within 60 s. */
  readonly timeMs: number;
  readonly steadyMs: number;
}

const MINUTE_MS = 60_000;
/** Bounds the readings that wait: a week of minutes. Beyond it they are kept for spans twice as long. */
const MAX_WAITING = 10_080;

/**
 * The readings of this run that wait for a known time: the last good one of each minute, of longer spans after a week. All of them are in the spool;
 * these only decide to which windows their registers belong [gateway §8.1].
 */
export class UndatedReadings {
  #waiting: UndatedReading[] = [];
  #minutesOfOne = 1;

  get count(): number {
    return this.#waiting.length;
  }

  /** Returns true for a reading whose time may not choose a window. */
  isUndated({ quality }: { readonly quality: number }): boolean {
    return (quality & Quality.unsynchronised) !== 0;
  }

  add(reading: UndatedReading): void {
    const waiting = this.#waiting;
    const last = waiting.at(-1);
    const spanMs = this.#minutesOfOne * MINUTE_MS;
    const isSame = last && Math.floor(last.steadyMs / spanMs) === Math.floor(reading.steadyMs / spanMs);
    if (isSame) waiting[waiting.length - 1] = { ...reading, quality: last.quality | reading.quality };
    else waiting.push(reading);
    if (waiting.length <= MAX_WAITING) return;
    this.#minutesOfOne *= 2;
    this.#waiting = [];
    for (const one of waiting) this.add(one);
  }

  /** Removes and returns the readings with their times, in the order in which they were read. */
  dated({ timeMs, steadyMs }: Instant): (UndatedReading & { readonly timeMs: number })[] {
    const dated = this.#waiting.map((reading) => ({ ...reading, timeMs: timeMs - (steadyMs - reading.steadyMs) }));
    this.clear();
    return dated;
  }

  clear(): void {
    this.#waiting = [];
    this.#minutesOfOne = 1;
  }
}
