import type { Clock } from '@gridtokenx/runtime/core';
import type { ReadVariant } from '../bus/bus.js';
import type { ReadFunction } from '../bus/frames.js';

import type { Heard, Prober } from './prober.js';

/** Registers that are wanted, by any of these reads; each has another length. */
export interface Read {
  readonly fn: ReadFunction;
  readonly variants: readonly ReadVariant[];
}

export type Reply =
  | { readonly what: 'data'; readonly fn: ReadFunction; readonly address: number; readonly data: Uint8Array }
  | { readonly what: 'exception'; readonly code: number }
  | { readonly what: 'silence' };

/** A conversation with one unit: what `identify` needs of the line. */
export interface UnitReader {
  /** Which of the reads can be asked now without a wait; else the one that can be asked soonest. */
  pick(reads: readonly Read[]): number;
  /** Milliseconds until a read can be asked; 0 = now. */
  restMs(read: Read): number;
  /** Asks, when that is allowed. Throws `LineGone`, `Disturbed`. */
  read(read: Read): Promise<Reply>;
}

/** Something else than this unit speaks on the line: who identifies it must stop. */
export class Disturbed extends Error {
  override readonly name = 'Disturbed';
}

const MIN_WAIT_MS = 100;
const MAX_WAIT_MS = 1_000;
const MAX_TRIES = 3;
/** Beside the data: request 8, answer 5. */
const FRAME_CHARS = 13;

/** Talks to a unit that has answered once, `waitedMs` after it was asked. */
export class UnitProber implements UnitReader {
  readonly #prober: Prober;
  readonly #clock: Clock;
  readonly #unit: number;
  #slowestMs: number;
  readonly #charMs: number;
  /** Answers that were no frames. */
  damaged = 0;

  /** `charMs`: of a line behind a network address, whose converter waits for whole answers; 0 on a line of our own. */
  constructor(prober: Prober, clock: Clock, unit: number, waitedMs: number, charMs: number) {
    this.#prober = prober;
    this.#clock = clock;
    this.#unit = unit;
    this.#slowestMs = waitedMs;
    this.#charMs = charMs;
  }

  pick(reads: readonly Read[]): number {
    let best = 0;
    let soonest = Number.POSITIVE_INFINITY;
    const now = this.#clock.monotonicMs();
    for (const [i, read] of reads.entries()) {
      const atMs = Math.max(now, this.#soonest(read).atMs);
      if (atMs < soonest) [best, soonest] = [i, atMs];
    }
    return best;
  }

  restMs(read: Read): number {
    return Math.max(0, this.#soonest(read).atMs - this.#clock.monotonicMs());
  }

  async read(read: Read): Promise<Reply> {
    for (let tries = 1; ; tries++) {
      const { choice } = this.#soonest(read);
      const heard = await this.#prober.ask(
        { unit: this.#unit, fn: read.fn, ...choice },
        this.#waitMs(tries, choice.count),
      );
      const reply = this.#judge(heard, read.fn, choice);
      // A silence may be a meter that is slower with these registers, or an answer that was hit.
      if (reply && (reply.what !== 'silence' || tries === 2)) return reply;
      if (tries >= MAX_TRIES) return { what: 'silence' };
    }
  }

  #judge(heard: Heard, fn: ReadFunction, { address }: ReadVariant): Reply | null {
    switch (heard.what) {
      case 'answer':
        this.#slowestMs = Math.max(this.#slowestMs, heard.waitedMs);
        return { what: 'data', fn, address, data: heard.data };
      case 'exception':
        this.#slowestMs = Math.max(this.#slowestMs, heard.waitedMs);
        return { what: 'exception', code: heard.code };
      case 'silence':
        return { what: 'silence' };
      case 'damaged':
        this.damaged++;
        return null;
      case 'foreign':
        throw new Disturbed('another device speaks on the line');
    }
  }

  #waitMs(tries: number, count: number): number {
    const usual = Math.max(MIN_WAIT_MS, 40 + 3 * this.#slowestMs) + (FRAME_CHARS + 2 * count) * this.#charMs;
    return Math.min(MAX_WAIT_MS, tries === 1 ? usual : 2 * usual);
  }

  #soonest({ fn, variants }: Read): { choice: ReadVariant; atMs: number } {
    let best: { choice: ReadVariant; atMs: number } | null = null;
    const now = this.#clock.monotonicMs();
    for (const choice of variants) {
      const atMs = this.#prober.freeAt(this.#unit, fn, choice.count);
      if (!best || Math.max(atMs, now) < Math.max(best.atMs, now)) best = { choice, atMs };
    }
    if (!best) throw new Error('a read without a length');
    return best;
  }
}
