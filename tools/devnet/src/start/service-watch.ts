import type { HealthReport } from '@gridtokenx/runtime/core';

/** A service whose health a start follows. */
export interface WatchedService {
  readonly name: string;
  /** Address of its health. */
  readonly url: string;
}

/** Ignores problems shorter than this: a start, a reconnect. Real milliseconds. */
export const TELL_AFTER_MS = 30_000;
/** A healthy service on this machine answers in milliseconds. */
const TIMEOUT_MS = 5_000;

interface Known {
  readonly sinceMs: number;
  words: string;
  isTold: boolean;
}

/** Requests a service's health. Rejects when the service does not answer. */
export async function askHealth(url: string): Promise<HealthReport> {
  const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  return (await response.json()) as HealthReport;
}

/** Reports the problems of the services: each condition once when it lasts, and once when it is over. */
export class ServiceWatch {
  readonly #services: readonly WatchedService[];
  readonly #ask: (url: string) => Promise<HealthReport>;
  readonly #now: () => number;
  readonly #say: (line: string) => void;
  readonly #known = new Map<string, Known>();

  constructor(
    services: readonly WatchedService[],
    say: (line: string) => void,
    ask: (url: string) => Promise<HealthReport>,
    now: () => number,
  ) {
    this.#services = services;
    this.#say = say;
    this.#ask = ask;
    this.#now = now;
  }

  /** Returns the lasting problems in words. */
  problems(): string[] {
    return [...this.#known].filter(([, { isTold }]) => isTold).map(([name, { words }]) => `${name}: ${words}`);
  }

  /** Requests the health of every service once. Never rejects. */
  async poll(): Promise<void> {
    const found = await Promise.all(this.#services.map((service) => this.#find(service)));
    const wrong = new Map(found.flat());
    for (const [name, known] of this.#known) {
      if (wrong.has(name)) continue;
      this.#known.delete(name);
      if (known.isTold) this.#say(`${name}: well again.`);
    }
    for (const [name, words] of wrong) this.#note(name, words);
  }

  async #find({ name, url }: WatchedService): Promise<[string, string][]> {
    try {
      const { conditions = [] } = await this.#ask(url);
      return conditions.flatMap(({ name: condition, problem }): [string, string][] =>
        problem === null ? [] : [[`${name}, ${condition}`, problem]],
      );
    } catch {
      return [[name, 'it does not answer']];
    }
  }

  #note(name: string, words: string): void {
    const known = this.#known.get(name) ?? { sinceMs: this.#now(), words, isTold: false };
    known.words = words;
    this.#known.set(name, known);
    if (known.isTold || this.#now() - known.sinceMs < TELL_AFTER_MS) return;
    known.isTold = true;
    this.#say(`${name}: ${words}`);
  }
}
