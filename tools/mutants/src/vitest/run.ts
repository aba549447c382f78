import { fileURLToPath } from 'node:url';
import { type Ended, start } from '../processes.js';
import { type RunResult, TASK, type Task } from './messages.js';

/** Number of output characters kept for the words of an error. */
const KEPT = 4000;

export interface Run extends Ended {
  /** null: the run timed out, or died without an answer. */
  readonly result: RunResult | null;
  /** The end of its output. */
  readonly output: string;
}

/** Runs test files in a copy, with one mutant activated, or none. Repeats a run once that dies without an answer. */
export async function runTests(copy: string, task: Task, mutant: string | null, limitMs: number): Promise<Run> {
  const run = await runOnce(copy, task, mutant, limitMs);
  return run.result || run.isOutOfTime ? run : runOnce(copy, task, mutant, limitMs);
}

async function runOnce(copy: string, task: Task, mutant: string | null, limitMs: number): Promise<Run> {
  // The same path from sources and built files: Node starts the built file.
  const script = fileURLToPath(new URL('../../dist/vitest/child.js', import.meta.url));
  const { child, ended } = start(process.execPath, [script], limitMs, {
    cwd: copy,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: {
      ...process.env,
      [TASK]: JSON.stringify(task),
      GTX_ROOT: copy,
      GTX_TESTS: 'all',
      ...(mutant === null ? {} : { __STRYKER_ACTIVE_MUTANT__: mutant }),
    },
  });
  let result: RunResult | null = null;
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-KEPT);
    });
  }
  child.on('message', (message) => {
    result = message as RunResult;
  });
  return { ...(await ended), result, output };
}
