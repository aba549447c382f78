import {
  addWindows,
  latestWindow,
  NEAR_BOUNDARY_MS,
  Quality,
  type Window,
  windowEndAtMs,
  windowOf,
} from '@gridtokenx/protocol';
import { type Instant, UndatedReadings } from './undated.js';

/** The fields of a reading that a statement needs. */
export interface WindowReading {
  readonly timeMs: number;
  /** Steady time of this run, ms; null for a reading of an earlier run. */
  readonly steadyMs: number | null;
  readonly uncertaintyMs: number | null;
  readonly importWh: bigint;
  readonly exportWh: bigint;
  readonly quality: number;
  /** Longest silence before it, ms, where it stands for several readings; absent: since the reading before it. */
  readonly silentMs?: number;
}

/** A window with readings and without a statement. */
export interface OpenWindow {
  readonly window: Window;
  /** Last good registers in it. */
  importWh: bigint;
  exportWh: bigint;
  lastTimeMs: number;
  quality: number;
  /** Worst uncertainty of its readings, ms; null when one was unknown. */
  uncertaintyMs: number | null;
}

/** Content of a closed window's statement, besides what the whole key adds. */
export interface ClosedWindow {
  readonly window: Window;
  readonly importWh: bigint;
  readonly exportWh: bigint;
  readonly quality: number;
  readonly uncertaintyMs: number | null;
}

/**
 * Tracks the windows of one meter that wait for their statement, in rising order. Pure: no clock. Rules [gateway §8]: a
 * window without readings gets no statement; a statement's window is above every earlier one; registers are not
 * interpolated; only a known time chooses a window, so the other readings wait for one.
 */
export class WindowTracker {
  readonly #open: OpenWindow[] = [];
  readonly #undated = new UndatedReadings();
  readonly #gapMs: number;
  #closedThrough: Window;
  #lastTimeMs: number | null = null;
  /** Quality of the window of the next reading. */
  #nextQuality = 0;

  /** `gapMs`: silence between two readings above which the window of the second reading is marked with a gap. */
  constructor(closedThrough: Window, gapMs = Number.POSITIVE_INFINITY) {
    this.#closedThrough = closedThrough;
    this.#gapMs = gapMs;
  }

  /** Returns the window up to which every window has a statement, or will get none. */
  get closedThrough(): Window {
    return this.#closedThrough;
  }

  /** Returns the windows that wait, oldest first. */
  get open(): readonly OpenWindow[] {
    return this.#open;
  }

  /** Returns the number of readings that wait for a known time. */
  get undated(): number {
    return this.#undated.count;
  }

  /** Counts a reading; one of an unknown time waits, and is dropped where an earlier run signed it. */
  add(reading: WindowReading): void {
    const { timeMs, steadyMs } = reading;
    if (this.#undated.isUndated(reading)) {
      if (steadyMs !== null) this.#undated.add({ ...reading, steadyMs });
      return;
    }
    if (steadyMs !== null) this.date({ timeMs, steadyMs });
    this.#count(reading);
  }

  /** Gives the readings that wait the windows of their times; a window that is closed takes none of them. */
  date(now: Instant): void {
    for (const reading of this.#undated.dated(now))
      if (windowOf(reading.timeMs) > this.#closedThrough) this.#count({ ...reading, uncertaintyMs: null });
  }

  /** Counts a dated reading. After the time was corrected back by less than a window, it stays in the newest window. */
  #count(reading: Omit<WindowReading, 'steadyMs'>): void {
    this.#comeBack(windowOf(reading.timeMs));
    const newest = this.#open.at(-1);
    const window = latestWindow(
      addWindows(this.#closedThrough, 1),
      windowOf(reading.timeMs),
      newest?.window ?? this.#closedThrough,
    );
    const sinceMs = this.#lastTimeMs === null ? 0 : reading.timeMs - this.#lastTimeMs;
    const silentMs = reading.silentMs ?? sinceMs;
    const quality = reading.quality | this.#nextQuality | (silentMs > this.#gapMs ? Quality.gap : 0);
    this.#nextQuality = 0;
    this.#lastTimeMs = reading.timeMs;
    if (newest?.window !== window) {
      this.#open.push({
        window,
        importWh: reading.importWh,
        exportWh: reading.exportWh,
        lastTimeMs: reading.timeMs,
        quality,
        uncertaintyMs: reading.uncertaintyMs,
      });
      return;
    }
    newest.importWh = reading.importWh;
    newest.exportWh = reading.exportWh;
    newest.lastTimeMs = reading.timeMs;
    newest.quality |= quality;
    newest.uncertaintyMs = worse(newest.uncertaintyMs, reading.uncertaintyMs);
  }

  /**
   * Gathers the open windows beyond the next one in the present: a time that counted as known was wrong by more than a
   * window. No statement was signed for them, and theirs is never attested.
   */
  #comeBack(present: Window): void {
    const open = this.#open;
    const next = addWindows(latestWindow(present, this.#closedThrough), 1);
    if ((open.at(-1)?.window ?? next) <= next) return;
    let quality = Quality.unsynchronised as number;
    let newest: OpenWindow | undefined;
    while ((open.at(-1)?.window ?? present) > present) {
      const one = open.pop() as OpenWindow;
      newest ??= one;
      quality |= one.quality;
    }
    if (!newest) return;
    const before = open.at(-1)?.window === present ? open.pop() : undefined;
    const window = latestWindow(present, addWindows(this.#closedThrough, 1));
    open.push({ ...newest, window, quality: quality | (before?.quality ?? 0), uncertaintyMs: null });
    this.#lastTimeMs = null;
  }

  /** Marks the newest window, for example with the gap of a restart. */
  mark(quality: number): void {
    const newest = this.#open.at(-1);
    if (newest) newest.quality |= quality;
  }

  /** Marks the window of the next reading. */
  markNext(quality: number): void {
    this.#nextQuality |= quality;
  }

  /** Returns the oldest window that is over at `nowMs`, or null. It stays until `close`. */
  due(nowMs: number): ClosedWindow | null {
    const [oldest] = this.#open;
    if (!oldest || nowMs < windowEndAtMs(oldest.window)) return null;
    const late = windowEndAtMs(oldest.window) - oldest.lastTimeMs > NEAR_BOUNDARY_MS;
    return {
      window: oldest.window,
      importWh: oldest.importWh,
      exportWh: oldest.exportWh,
      quality: oldest.quality | (late ? Quality.stale : 0),
      uncertaintyMs: oldest.uncertaintyMs,
    };
  }

  /** Closes a window whose statement is stored: no other statement will be signed for it or an earlier window. */
  close(window: Window): void {
    this.#closedThrough = latestWindow(this.#closedThrough, window);
    while (this.#open[0] && this.#open[0].window <= window) this.#open.shift();
  }

  /** Drops open windows without a statement, readings that wait, and everything up to `window`. */
  dropThrough(window: Window): void {
    this.#open.length = 0;
    this.#undated.clear();
    this.#closedThrough = latestWindow(this.#closedThrough, window);
  }
}

function worse(a: number | null, b: number | null): number | null {
  return a === null || b === null ? null : Math.max(a, b);
}
