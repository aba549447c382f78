import {
  addWindows,
  latestWindow,
  NEAR_BOUNDARY_MS,
  Quality,
  type Window,
  windowEndAtMs,
  windowOf,
} from '@gridtokenx/protocol';

/** The fields of a reading that a statement needs. */
export interface WindowReading {
  readonly timeMs: number;
  readonly uncertaintyMs: number | null;
  readonly importWh: bigint;
  readonly exportWh: bigint;
  readonly quality: number;
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
 * interpolated.
 */
export class WindowTracker {
  readonly #open: OpenWindow[] = [];
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

  /** Counts a reading. After a clock was stepped back, readings stay in the newest window. */
  add(reading: WindowReading): void {
    const newest = this.#open.at(-1);
    const window = latestWindow(
      addWindows(this.#closedThrough, 1),
      windowOf(reading.timeMs),
      newest?.window ?? this.#closedThrough,
    );
    const silentMs = this.#lastTimeMs === null ? 0 : reading.timeMs - this.#lastTimeMs;
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

  /** Drops open windows without a statement, and everything up to `window`. */
  dropThrough(window: Window): void {
    this.#open.length = 0;
    this.#closedThrough = latestWindow(this.#closedThrough, window);
  }
}

function worse(a: number | null, b: number | null): number | null {
  return a === null || b === null ? null : Math.max(a, b);
}
