/** Bounds of the time-out, ms. */
export interface TimeoutBounds {
  /** Before anything is known, and again after several time-outs in a row: a meter that became slower is found so. */
  readonly initialMs: number;
  readonly minMs: number;
  readonly maxMs: number;
}

const FACTOR = 1.5;
const PERCENTILE = 0.999;
/** Answers that are looked back on. */
const SAMPLES = 1_024;
/** Below so many answers the percentile says little. */
const MIN_REQUESTS = 8;
const FAILURES_TO_FORGET = 3;

/**
 * How long one unit is waited for: 1.5 x the 99.9th percentile of the answers that came in time, within bounds. Times are
 * without the characters of the answer, which are added where the length is known. Lateness is no sample: it lengthens
 * the quarantine only [gateway §6.3].
 */
export class TimeoutEstimate {
  readonly #bounds: TimeoutBounds;
  readonly #samples: number[] = [];
  #next = 0;
  #failures = 0;
  #cached: number | null = null;
  /** Smoothed time from the request's end to the answer's begin, ms; null = never answered. */
  turnaroundMs: number | null = null;

  constructor(bounds: TimeoutBounds) {
    this.#bounds = bounds;
  }

  /** An answer that came in time, `waitedMs` after the request's last character, its own characters not counted. */
  answered(waitedMs: number): void {
    const waited = Math.max(0, waitedMs);
    this.#samples[this.#next] = waited;
    this.#next = (this.#next + 1) % SAMPLES;
    this.#failures = 0;
    // Sorting a thousand numbers for each answer would cost more than the answer.
    if (this.#samples.length < 64 || this.#next % 32 === 0 || waited * FACTOR > (this.#cached ?? 0))
      this.#cached = null;
    this.turnaroundMs = this.turnaroundMs === null ? waited : this.turnaroundMs + (waited - this.turnaroundMs) / 8;
  }

  failed(): void {
    this.#failures++;
    if (this.#failures < FAILURES_TO_FORGET || this.#samples.length === 0) return;
    this.#samples.length = 0;
    this.#next = 0;
    this.#cached = null;
  }

  /** Milliseconds to wait from the request's last character, the answer's characters not counted. */
  timeoutMs(): number {
    const { initialMs, minMs, maxMs } = this.#bounds;
    if (this.#samples.length < MIN_REQUESTS) return Math.max(Math.min(minMs, maxMs), Math.min(maxMs, initialMs));
    this.#cached ??= FACTOR * percentile(this.#samples, PERCENTILE);
    return Math.max(Math.min(minMs, maxMs), Math.min(maxMs, this.#cached));
  }
}

/** The smallest sample that `part` of all samples do not exceed. */
function percentile(samples: readonly number[], part: number): number {
  const sorted = Float64Array.from(samples).sort();
  return sorted[Math.min(sorted.length - 1, Math.ceil(part * sorted.length) - 1)] as number;
}
