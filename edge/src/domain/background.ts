import { errorText, type Logger } from '@gridtokenx/runtime/core';

/** Runs work that no caller awaits. Keeps the reason of a failure until the same work succeeds. */
export class Background {
  readonly #log: Logger;
  readonly #failing = new Map<string, string>();

  constructor(log: Logger) {
    this.#log = log;
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
  }

  failed(what: string, error: unknown): void {
    this.#failing.set(what, errorText(error));
    this.report(what, error);
  }

  /** Logs a failure that nothing retries. */
  report(what: string, error: unknown): void {
    this.#log.error({ event: 'background_task_failed', what, err: errorText(error) }, 'A background task failed');
  }
}
