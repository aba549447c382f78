// Runs test files of a copy in its working folder, as a separate process. Ends with its parent, however the parent
// ends.
import { sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startVitest, type TestModule, type TestSequencerConstructor } from 'vitest/node';
import { type FileResult, type RunResult, TASK, type Task } from './messages.js';

process.on('disconnect', () => process.kill(-process.pid, 'SIGKILL'));

const task: Task = JSON.parse(process.env[TASK] ?? '');
const placeOf = (file: string): number => task.files.indexOf(file);

const nameOf = (moduleId: string): string =>
  moduleId
    .slice(process.cwd().length + 1)
    .split(sep)
    .join('/');

/** Keeps the task's order, and drops files whose names only resemble the task's. */
const InOrder: TestSequencerConstructor = class {
  shard = <T>(files: T[]): T[] => files;
  sort = <T extends { moduleId: string }>(files: T[]): T[] =>
    files
      .filter(({ moduleId }) => placeOf(nameOf(moduleId)) >= 0)
      .sort((a, b) => placeOf(nameOf(a.moduleId)) - placeOf(nameOf(b.moduleId)));
};

function resultOf(module: TestModule): FileResult {
  const state = module.state();
  const { duration, collectDuration, setupDuration } = module.diagnostic();
  return {
    file: nameOf(module.moduleId),
    state: state === 'passed' || state === 'failed' ? state : 'pending',
    seconds: (duration + collectDuration + setupDuration) / 1000,
  };
}

const vitest = await startVitest([...task.files], {
  root: process.cwd(),
  watch: false,
  bail: task.bail ? 1 : 0,
  maxWorkers: task.workers,
  reporters: [{}],
  sequence: { sequencer: InOrder },
  ...(task.testTimeoutMs === null ? {} : { testTimeout: task.testTimeoutMs, hookTimeout: task.testTimeoutMs }),
  ...(task.coverage === null ? {} : { setupFiles: [fileURLToPath(new URL('./coverage.js', import.meta.url))] }),
});
const result: RunResult = {
  files: vitest.state.getTestModules().map(resultOf),
  strayErrors: vitest.state.getUnhandledErrors().length,
};
process.send?.(result, undefined, {}, () => process.exit(0));
