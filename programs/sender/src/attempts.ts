import { BackOff, type Clock, errorText, type Logger, type Random } from '@gridtokenx/runtime/core';
import { NodeUnavailable } from './ports.js';

const AGAIN = { initialMs: 200, maxMs: 10_000 };
/** Steps that fail for so long are told as a problem: shorter ones a node that restarts explains. */
const STALLED_MS = 30_000;

export interface AttemptsDeps {
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly random: Pick<Random, 'fraction'>;
  readonly logger: Pick<Logger, 'warn'>;
  /** Names the work in words for people: "settlement". */
  readonly what: string;
}

/** Remembers how the steps of one settler have gone: growing pauses after errors, and words for people. */
export class Attempts {
  readonly #deps: AttemptsDeps;
  readonly #backOff: BackOff;
  #isNode = false;
  #failuresBeganAtMs: number | null = null;
  #why = '';

  constructor(deps: AttemptsDeps) {
    this.#deps = deps;
    this.#backOff = new BackOff(AGAIN, deps.random);
  }

  /** Why the last step failed, plain words; null when it went well. */
  get failure(): string | null {
    return this.#failuresBeganAtMs === null ? null : this.#why;
  }

  /** Real ms since every step has failed; null while that is too short to be told. */
  get stalledMs(): number | null {
    if (this.#failuresBeganAtMs === null) return null;
    const ms = this.#deps.clock.nowMs() - this.#failuresBeganAtMs;
    return ms >= STALLED_MS ? ms : null;
  }

  succeeded(): void {
    this.#backOff.reset();
    this.#failuresBeganAtMs = null;
  }

  /** A step threw. Returns the real time of the next one; tells the log once for each kind of failure. */
  failed(error: unknown): number {
    const { clock, logger, what } = this.#deps;
    const isFirst = this.#failuresBeganAtMs === null;
    this.#failuresBeganAtMs ??= clock.nowMs();
    const backoffMs = this.#backOff.next();
    const isNode = error instanceof NodeUnavailable;
    const detail = errorText(error);
    this.#why = isNode ? `waiting for the node: ${detail}` : `${what} failed: ${detail}`;
    if (isFirst || isNode !== this.#isNode) logger.warn({ event: 'send_failed', err: detail, backoffMs }, this.#why);
    this.#isNode = isNode;
    return clock.nowMs() + backoffMs;
  }
}
