import type { Clock, Logger, Random } from '@gridtokenx/runtime/core';
import { NodeUnavailable } from './ports.js';

const FIRST_BACKOFF_MS = 200;
const LONGEST_BACKOFF_MS = 10_000;
/** Steps that fail for so long are told as a problem: shorter ones a node that restarts explains. */
const STALLED_MS = 30_000;

export interface AttemptsDeps {
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly random: Pick<Random, 'fraction'>;
  readonly logger: Pick<Logger, 'warn'>;
  /** Names the work in words for people: "settlement". */
  readonly what: string;
}

/** Remembers how the steps of one lane have gone: growing pauses after errors, and words for people. */
export class Attempts {
  readonly #deps: AttemptsDeps;
  #backOffMs = 0;
  #isNode = false;
  #failingSinceMs: number | null = null;
  #why = '';

  constructor(deps: AttemptsDeps) {
    this.#deps = deps;
  }

  /** Why the last step failed, plain words; null when it went well. */
  get failure(): string | null {
    return this.#backOffMs > 0 ? this.#why : null;
  }

  /** Real ms since every step has failed; null while that is too short to be told. */
  get stalledMs(): number | null {
    if (this.#failingSinceMs === null) return null;
    const ms = this.#deps.clock.nowMs() - this.#failingSinceMs;
    return ms >= STALLED_MS ? ms : null;
  }

  succeeded(): void {
    this.#backOffMs = 0;
    this.#failingSinceMs = null;
  }

  /** A step threw. Returns the real time of the next one; tells the log once for each kind of failure. */
  failed(error: unknown): number {
    const { clock, random, logger, what } = this.#deps;
    const isFirst = this.#backOffMs === 0;
    this.#failingSinceMs ??= clock.nowMs();
    this.#backOffMs = Math.min(LONGEST_BACKOFF_MS, Math.max(FIRST_BACKOFF_MS, 2 * this.#backOffMs));
    const isNode = error instanceof NodeUnavailable;
    const detail = error instanceof Error ? error.message : String(error);
    this.#why = isNode ? `waiting for the node: ${detail}` : `${what} failed: ${detail}`;
    if (isFirst || isNode !== this.#isNode) logger.warn({ err: detail, backoffMs: this.#backOffMs }, this.#why);
    this.#isNode = isNode;
    return clock.nowMs() + this.#backOffMs * (0.5 + random.fraction() / 2);
  }
}
