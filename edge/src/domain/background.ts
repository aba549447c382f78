import type { Logger } from '@gridtokenx/runtime/core';

export const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Work that nobody waits for. What fails is named until it succeeds. */
export class Background {
  readonly #log: Logger;
  readonly #failing = new Map<string, string>();

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Why which work fails, in plain words. */
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
    this.#failing.set(what, textOf(error));
    this.report(what, error);
  }

  /** Logs what is not tried again. */
  report(what: string, error: unknown): void {
    this.#log.error({ event: 'background_task_failed', what, err: textOf(error) }, 'A background task failed');
  }
}
