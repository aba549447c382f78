import { nextDelayMs } from '@gridtokenx/runtime/core';
import type { SlottedMeter } from './plan.js';

/**
 * Pauses after mints that failed or left energy due. A mint that failed is tried again every 10 minutes at least,
 * in case only the chain knows what has changed.
 */
const PAUSES = { initialMs: 1_000, maxMs: 600_000 };
/** A page that changes all the time starts a failing mint again at most this often. */
const SHORTEST_RETRY_MS = 1_000;

/** One mint: of the page's pool slots together, or of a single wallet's slot. */
export interface MintTask {
  readonly kind: 'mint_page' | 'mint_meter';
  /** Null for the pool. */
  readonly meter: SlottedMeter | null;
}

interface Attempt {
  /** The page as it was, in words. */
  readonly mark: string;
  readonly triedAtMs: number;
  readonly untilMs: number;
  readonly pauseMs: number;
  readonly problem: string;
}

/**
 * Remembers mints that failed or left energy due (a zone's budget, a slot that cannot be minted): they are tried again when
 * the page has changed or after a growing pause, and hold nobody up meanwhile [settlement §2.3]. In memory: a restart
 * tries once more.
 */
export class MintTracker {
  readonly #attempts = new Map<string, Attempt>();

  /** The first task that is worth trying now; those that wait longest come first. Null for none. */
  next(tasks: readonly MintTask[], mark: string, nowMs: number): MintTask | null {
    this.#forgetOthers(tasks);
    const ready = tasks.filter((task) => this.#mayTry(task, mark, nowMs));
    const tried = (task: MintTask) => this.#attempts.get(nameOf(task))?.triedAtMs ?? Number.NEGATIVE_INFINITY;
    return ready.reduce<MintTask | null>((best, task) => (best && tried(best) <= tried(task) ? best : task), null);
  }

  /** When the next of these is tried again without a change of the page; null when none waits. */
  nextAttemptAtMs(tasks: readonly MintTask[]): number | null {
    const times = tasks.flatMap((task) => this.#attempts.get(nameOf(task))?.untilMs ?? []);
    return times.length === 0 ? null : Math.min(...times);
  }

  /** A mint did not do all that was due. */
  leftDue(task: MintTask, mark: string, why: string, nowMs: number): void {
    const before = this.#attempts.get(nameOf(task));
    const pauseMs = nextDelayMs(before?.pauseMs ?? 0, PAUSES);
    const what = task.meter ? `meter ${task.meter.meterId}` : 'the pool';
    const problem = `energy of ${what} is due and not minted: ${why}`;
    this.#attempts.set(nameOf(task), { mark, triedAtMs: nowMs, untilMs: nowMs + pauseMs, pauseMs, problem });
  }

  /** A mint did all that was due. */
  done(task: MintTask): void {
    this.#attempts.delete(nameOf(task));
  }

  problems(): string[] {
    return [...this.#attempts.values()].map(({ problem }) => problem);
  }

  #mayTry(task: MintTask, mark: string, nowMs: number): boolean {
    const last = this.#attempts.get(nameOf(task));
    if (!last || nowMs >= last.untilMs) return true;
    return last.mark !== mark && nowMs >= last.triedAtMs + SHORTEST_RETRY_MS;
  }

  /** Forgets tasks that are due no longer: somebody else minted them, or nobody can. */
  #forgetOthers(tasks: readonly MintTask[]): void {
    const names = new Set(tasks.map(nameOf));
    for (const name of this.#attempts.keys()) if (!names.has(name)) this.#attempts.delete(name);
  }
}

function nameOf({ meter }: MintTask): string {
  return meter?.meterId ?? 'pool';
}
