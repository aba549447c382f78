import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Outcome } from './mutant.js';

/** Keeps the results of a run, so that the same command continues after a stop. */
export class State {
  readonly #file: string;
  readonly #folder: string;

  /** Forgets the results of another tree, whose hash differs, and everything when `fresh`. */
  constructor(folder: string, tree: string, fresh: boolean) {
    this.#folder = folder;
    this.#file = join(folder, 'outcomes.jsonl');
    const first = existsSync(this.#file) ? readFileSync(this.#file, 'utf8').split('\n', 1)[0] : null;
    const header = JSON.stringify({ tree });
    if (fresh || first !== header) {
      rmSync(folder, { recursive: true, force: true });
      mkdirSync(dirname(this.#file), { recursive: true });
      writeFileSync(this.#file, `${header}\n`);
    }
  }

  /** Returns the outcomes so far by the mutant's key. Ignores an incomplete last line. */
  outcomes(): Map<string, Outcome> {
    const found = new Map<string, Outcome>();
    for (const line of readFileSync(this.#file, 'utf8').split('\n').slice(1, -1)) {
      const outcome: Outcome = JSON.parse(line);
      found.set(outcome.mutant.key, outcome);
    }
    return found;
  }

  add(outcome: Outcome): void {
    appendFileSync(this.#file, `${JSON.stringify(outcome)}\n`);
  }

  /** Returns the value kept under a name; null when there is none. */
  read<T>(name: string): T | null {
    const path = join(this.#folder, `${name}.json`);
    return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : null;
  }

  keep(name: string, value: unknown): void {
    writeFileSync(join(this.#folder, `${name}.json`), JSON.stringify(value));
  }
}
