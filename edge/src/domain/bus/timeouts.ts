/** Bounds of the time-out, ms. */
export interface TimeoutBounds {
  /** Time-out before the first answers, and after several time-outs in a row: so a slower meter is found. */
  readonly initialMs: number;
  readonly minMs: number;
  readonly maxMs: number;
}

const FACTOR = 1.5;
const PERCENTILE = 0.999;
/** Size of the sample. */
const SAMPLES = 1_024;
/** Answers below which the percentile says little. */
const MIN_REQUESTS = 8;
const FAILURES_TO_FORGET = 3;

/**
 * Estimates one unit's time-out: 1.5 x the 99.9th percentile of the answers in time, within bounds. Times exclude the
 * answer's characters; the caller, who knows the length, adds them. Lateness is no sample: it lengthens the quarantine
 * only [gateway §6.3].
 */
export class TimeoutEstimate {
  readonly #bounds: TimeoutBounds;
  readonly #samples: number[] = [];
  #next = 0;
  #failures = 0;
  #cached: number | null = null;
  /** Smoothed time from the request's end to the answer's begin, ms; null before the first answer. */
  turnaroundMs: number | null = null;

  constructor(bounds: TimeoutBounds) {
    this.#bounds = bounds;
  }

  /** Records an answer in time, `waitedMs` after the request's last character, its own characters excluded. */
  answered(waitedMs: number): void {
    const waited = Math.max(0, waitedMs);
    this.#samples[this.#next] = waited;
    this.#next = (this.#next + 1) % SAMPLES;
    this.#failures = 0;
    // Sorts rarely: sorting 1,000 numbers costs more than the answer.
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

  /** Returns the wait from the request's last character on, ms, the answer's characters excluded. */
  timeoutMs(): number {
    const { initialMs, minMs, maxMs } = this.#bounds;
    if (this.#samples.length < MIN_REQUESTS) return Math.max(Math.min(minMs, maxMs), Math.min(maxMs, initialMs));
    this.#cached ??= FACTOR * percentile(this.#samples, PERCENTILE);
    return Math.max(Math.min(minMs, maxMs), Math.min(maxMs, this.#cached));
  }
}

/** Returns the smallest sample that is at least as large as `part` of all samples. */
function percentile(samples: readonly number[], part: number): number {
  const sorted = Float64Array.from(samples).sort();
  return sorted[Math.min(sorted.length - 1, Math.ceil(part * sorted.length) - 1)] as number;
}
