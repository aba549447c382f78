import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join, sep } from 'node:path';
import type { Near } from './graph.js';
import { runTests } from './vitest/run.js';

const LIMIT_MS = 30 * 60_000;
/** Longer than a test's usual limit: the instrumented code is slower, and the machine may be busy. */
const TEST_LIMIT_MS = 3 * 60_000;

/** Result of one test file without a mutant. */
export interface Measured {
  /** null: the file fails, so it judges no mutant. */
  readonly seconds: number | null;
  /** The identities of the mutants that the file reaches in its own process. */
  readonly reached: readonly string[];
}

export type Table = Readonly<Record<string, Measured>>;

/** Runs test files of an instrumented copy without a mutant. Throws when the run gives no answer. */
export async function measure(copy: string, files: readonly string[], folder: string, workers: number): Promise<Table> {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const task = { files, workers, bail: false, testTimeoutMs: TEST_LIMIT_MS, coverage: folder };
  const { result, output } = await runTests(copy, task, null, LIMIT_MS);
  if (!result) throw new Error(`the tests gave no answer without a mutant:\n${output}`);
  const reached = new Map<string, string[]>();
  for (const name of readdirSync(folder)) {
    const { file, ids } = JSON.parse(readFileSync(join(folder, name), 'utf8'));
    reached.set(
      file
        .slice(copy.length + 1)
        .split(sep)
        .join('/'),
      ids,
    );
  }
  const secondsOf = (file: string) => {
    const found = result.files.find((each) => each.file === file);
    return found?.state === 'passed' ? found.seconds : null;
  };
  return Object.fromEntries(
    files.map((file) => [file, { seconds: secondsOf(file), reached: reached.get(file) ?? [] }]),
  );
}

/** Measures test files when a mutant needs them, each once. */
export class Baseline {
  readonly #measure: (files: readonly string[]) => Promise<Table>;
  readonly #keep: (table: Table) => void;
  #table: Table;
  #last: Promise<void> = Promise.resolve();

  constructor(known: Table, measureThem: (files: readonly string[]) => Promise<Table>, keep: (table: Table) => void) {
    this.#table = known;
    this.#measure = measureThem;
    this.#keep = keep;
  }

  /** Returns the results of the files. Measures unknown files, one call after the other. */
  async of(files: readonly string[]): Promise<Table> {
    const turn = this.#last.then(async () => {
      const missing = files.filter((file) => this.#table[file] === undefined);
      if (missing.length === 0) return;
      this.#table = { ...this.#table, ...(await this.#measure(missing)) };
      this.#keep(this.#table);
    });
    this.#last = turn.catch(() => {});
    await turn;
    return this.#table;
  }
}

/** Test files and the time that they take together. */
export interface Judges {
  readonly files: readonly string[];
  readonly seconds: number;
}

/**
 * Chooses test files that judge a mutant, near and fast files first. `id`: only files that reach it; null: all that
 * pass. Omits files that would exceed `capSeconds` together, but never all.
 */
export function judgesOf(id: string | null, near: readonly Near[], table: Table, capSeconds: number): Judges {
  const timed = near
    .map(({ file, distance }) => ({ file, distance, seconds: table[file]?.seconds ?? null }))
    .flatMap(({ seconds, ...each }) => (seconds === null ? [] : [{ ...each, seconds }]))
    .filter(({ file }) => id === null || table[file]?.reached.includes(id))
    .sort((a, b) => a.distance * a.seconds - b.distance * b.seconds);
  const files: string[] = [];
  let total = 0;
  for (const { file, seconds } of timed) {
    if (files.length > 0 && total + seconds > capSeconds) continue;
    files.push(file);
    total += seconds;
  }
  return { files, seconds: total };
}
