import { type Clock, errorText, type Logger, StateLog } from '@gridtokenx/runtime/core';

/** Runs work that no caller awaits. Keeps the reason of a failure until the same work succeeds. */
export class Background {
  readonly #states: StateLog;
  readonly #failing = new Map<string, string>();

  constructor(log: Logger, clock: Clock) {
    this.#states = new StateLog(log, clock);
  }

  /** Lists each failing work with the reason of its last failure, in plain words. */
  get problems(): string[] {
    return [...this.#failing].map(([what, why]) => `${what}: ${why}`);
  }

  /** Settles with the work. Never rejects. */
  async attempt(what: string, work: Promise<unknown>): Promise<void> {
    try {
      await work;
      this.succeeded(what);
    } catch (error) {
      this.failed(what, error);
    }
  }

  succeeded(what: string): void {
    this.#failing.delete(what);
    this.#states.ended(what, { event: 'background_task_succeeded', what }, 'A background task succeeds again');
  }

  failed(what: string, error: unknown): void {
    this.#failing.set(what, errorText(error));
    this.report(what, error);
  }

  /** Logs a failure that nothing retries, once until the same work succeeds. */
  report(what: string, error: unknown): void {
    const fields = { event: 'background_task_failed', what, err: errorText(error) };
    this.#states.holds(what, fields, 'A background task failed', 'error');
  }
}
