import { type Next, NodeUnavailable, type Wait } from '@gridtokenx/chain-sender';
import { type Clock, type Logger, nextDelayMs } from '@gridtokenx/runtime/core';
import type { Plan } from './plan.js';
import {
  InsufficientSignatures,
  type MeterPageRead,
  type NewIntent,
  ReplanRequired,
  type TransactionBuilder,
} from './ports.js';

const PLAN_AGAIN_MS = 25;
const COSIGN_AGAIN_MS = 1_000;
const PAUSES = { initialMs: 250, maxMs: 30_000 };

export type AttestPlan = Extract<Plan, { kind: 'attest' }>;

export interface AttestingDeps {
  readonly zone: number;
  readonly page: number;
  readonly builder: Pick<TransactionBuilder, 'attest'>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Builds the attest_page of a plan; after one that cannot be built or failed, the page pauses, longer each time. */
export class Attesting {
  readonly #deps: AttestingDeps;
  #pauseMs = 0;
  #pausedUntilMs = Number.NEGATIVE_INFINITY;
  #problem: string | null = null;

  constructor(deps: AttestingDeps) {
    this.#deps = deps;
  }

  /** Why the page does not go on, in plain words; null when it does. */
  get problem(): string | null {
    return this.#problem;
  }

  /** Returns the rest of a pause; null for none. */
  get remainingPause(): Wait | null {
    if (this.#deps.clock.nowMs() >= this.#pausedUntilMs) return null;
    return { kind: 'wait', untilMs: this.#pausedUntilMs, why: this.#problem ?? 'pause' };
  }

  /** All is well: nothing is due. */
  idle(): void {
    this.#problem = null;
  }

  landed(): void {
    this.#pauseMs = 0;
    this.#problem = null;
  }

  failed(error: string): Wait {
    return this.#pauseFor(`attest failed: ${error}`);
  }

  /** The transaction to send, or why there is none now. Throws `NodeUnavailable` for faults of the node alone. */
  async build(page: MeterPageRead, plan: AttestPlan, nonce: number): Promise<Next<NewIntent, Wait>> {
    const { zone, page: number, builder } = this.#deps;
    const built = await builder.attest(page, plan.window, plan.entries, nonce).catch((error: unknown) => {
      if (
        error instanceof NodeUnavailable &&
        !(error instanceof ReplanRequired || error instanceof InsufficientSignatures)
      ) {
        throw error;
      }
      return error instanceof Error ? error : new Error(String(error));
    });
    if (built instanceof ReplanRequired) return { step: this.#wait(PLAN_AGAIN_MS, built.message) };
    if (built instanceof InsufficientSignatures) {
      this.#problem = built.message;
      return { step: this.#wait(COSIGN_AGAIN_MS, built.message) };
    }
    if (built instanceof Error) return { step: this.#pauseFor(`attest cannot be built: ${built.message}`) };
    const { taken, expectedHistory, ...signed } = built;
    const items = taken.map(({ payload: _, ...item }) => item);
    const { version, moves, history } = page;
    const base = { zone, page: number, version, moves, history, expectedHistory, window: plan.window };
    return { send: { kind: 'attest', ...base, items, ...signed } };
  }

  #wait(ms: number, why: string): Wait {
    return { kind: 'wait', untilMs: this.#deps.clock.nowMs() + ms, why };
  }

  #pauseFor(why: string): Wait {
    const { zone, page, clock, logger } = this.#deps;
    this.#pauseMs = nextDelayMs(this.#pauseMs, PAUSES);
    this.#problem = why;
    logger.warn({ event: 'settlement_paused', zone, page, why, pauseMs: this.#pauseMs }, 'Settlement of a page pauses');
    this.#pausedUntilMs = clock.nowMs() + this.#pauseMs;
    return this.#wait(this.#pauseMs, why);
  }
}
