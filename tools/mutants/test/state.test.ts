import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { mutantOf, type Outcome } from '../src/mutant.js';
import { State } from '../src/state.js';

const outcome: Outcome = {
  ...{ status: 'killed', by: 'a.test.ts', seconds: 1 },
  mutant: mutantOf('a', {
    ...{ language: 'typescript', file: 'a.ts', mutator: 'x', replacement: 'b', ignored: null },
    ...{ start: { line: 1, column: 1 }, end: { line: 1, column: 2 } },
  }),
};
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gtx-mutants-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('what a stopped run knows', () => {
  it('is there for the next run on the same tree, but a line that was cut off', () => {
    const state = new State(folder, 'tree', false);
    state.add(outcome);
    state.keep('baseline', { a: 1 });
    appendFileSync(join(folder, 'outcomes.jsonl'), '{"mutant":{"key":"b"');
    const next = new State(folder, 'tree', false);
    expect([...next.outcomes().values()]).toEqual([outcome]);
    expect(next.read('baseline')).toEqual({ a: 1 });
  });

  it.each([
    ['another tree', 'changed', false],
    ['--fresh', 'tree', true],
  ])('is forgotten for %s', (_why, tree, fresh) => {
    const state = new State(folder, 'tree', false);
    state.add(outcome);
    state.keep('baseline', {});
    const next = new State(folder, tree, fresh);
    expect(next.outcomes().size).toBe(0);
    expect(next.read('baseline')).toBeNull();
  });
});
