// Runs beside each test file: writes which mutants its process reached.
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect } from 'vitest';
import { TASK, type Task } from './messages.js';

/** The instrumented code's counters. */
interface Counts {
  readonly mutantCoverage?: { readonly static: Readonly<Record<string, number>> };
}

afterAll(() => {
  const task: Task = JSON.parse(process.env[TASK] ?? '');
  const counts = (globalThis as { __stryker__?: Counts }).__stryker__?.mutantCoverage?.static ?? {};
  const file = expect.getState().testPath ?? '';
  const name = createHash('sha256').update(file).digest('hex');
  writeFileSync(join(task.coverage ?? '.', `${name}.json`), JSON.stringify({ file, ids: Object.keys(counts) }));
});
