import { type Baseline, type Judges, judgesOf } from './baseline.js';
import type { Near } from './graph.js';
import type { Mutant, Outcome } from './mutant.js';
import { runTests } from './vitest/run.js';

/** Seconds that a run may take in addition to its tests. */
const START_S = 15;
/** Factor by which tests may be slower than without a mutant before they count as hanging. */
const SLOWER = 3;
const MIN_TEST_MS = 10_000;
/** Number of test files per attempt: most mutants need no more. */
const BATCH = 6;

export interface Bench {
  readonly copy: string;
  readonly baseline: Baseline;
  readonly capSeconds: number;
}

type Verdict = Pick<Outcome, 'status' | 'by'>;

/** Runs test files on one mutant. null: none of them noticed the mutant. */
async function tryFiles(copy: string, id: string, { files, seconds }: Judges): Promise<Verdict | null> {
  // No single file takes longer than all of them.
  const testTimeoutMs = Math.max(MIN_TEST_MS, SLOWER * seconds * 1000);
  const task = { files, workers: 1, bail: true, testTimeoutMs, coverage: null };
  const run = await runTests(copy, task, id, (START_S + SLOWER * (seconds + files.length)) * 1000);
  if (run.isOutOfTime) return { status: 'timeout', by: '' };
  const failed = run.result?.files.find(({ state }) => state === 'failed');
  if (failed) return { status: 'killed', by: failed.file };
  const isStray = !run.result || run.result.strayErrors > 0;
  return isStray ? { status: 'killed', by: 'an error outside of the tests' } : null;
}

async function verdictOf({ copy, baseline, capSeconds }: Bench, id: string, near: readonly Near[]): Promise<Verdict> {
  let left = capSeconds;
  for (let at = 0; at < near.length && left > 0; at += BATCH) {
    const batch = near.slice(at, at + BATCH);
    const table = await baseline.of(batch.map(({ file }) => file));
    const judges = judgesOf(id, batch, table, left);
    if (judges.files.length === 0) continue;
    const verdict = await tryFiles(copy, id, judges);
    if (verdict) return verdict;
    left -= judges.seconds;
  }
  if (left < capSeconds) return { status: 'survived', by: '' };
  // A process that a test starts may reach the mutant unnoticed.
  const judges = judgesOf(null, near, await baseline.of([]), capSeconds);
  if (judges.files.length === 0) return { status: 'no coverage', by: 'no test file imports it' };
  return (await tryFiles(copy, id, judges)) ?? { status: 'no coverage', by: '' };
}

/** Judges one mutant of a TypeScript source. `id` activates it; `near`: the test files that import its source. */
export async function judge(bench: Bench, mutant: Mutant, id: string, near: readonly Near[]): Promise<Outcome> {
  const started = Date.now();
  const verdict = await verdictOf(bench, id, near);
  return { mutant, ...verdict, seconds: (Date.now() - started) / 1000 };
}
