import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { projectRoot } from '@gridtokenx/checks/root';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Options } from '../src/options.js';
import { runMutants } from '../src/run.js';
import { tableOf } from '../src/table.js';
import { typescriptMutants } from '../src/typescript.js';

const root = mkdtempSync(join(tmpdir(), 'gtx-control-'));
const source = [
  'export const isSmall = (n: number): boolean => n < 10;',
  'export const isUnused = (n: number): boolean => n > 0;',
  '',
].join('\n');
const files: Record<string, string> = {
  '.gitignore': 'node_modules\ndist\n.campaigns\n',
  'package.json': JSON.stringify({ type: 'module', workspaces: ['edge'] }),
  'edge/package.json': JSON.stringify({ name: '@gridtokenx/edge', type: 'module' }),
  'edge/src/small.ts': source,
  // A weak test on purpose: it does not test the bound itself.
  'edge/test/small.test.ts': [
    "import { expect, it } from 'vitest';",
    "import { isSmall } from '../src/small.js';",
    "it('tells small from large', () => {",
    '  expect([isSmall(1), isSmall(100)]).toEqual([true, false]);',
    '});',
  ].join('\n'),
  'vitest.config.ts': "export default { test: { include: ['edge/test/*.test.ts'], pool: 'forks' } };",
  'tools/build.mjs': '',
};
const options: Options = {
  ...{ file: 'edge/src/small.ts', sample: null, seed: 1, least: 85, report: null },
  ...{ workers: 1, seconds: 10, fresh: false, list: false },
};
const said: string[] = [];
const place = { root, folder: join(root, '.campaigns/mutants/small'), say: (line: string) => void said.push(line) };

beforeAll(() => {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text);
  }
  mkdirSync(join(root, 'node_modules/@gridtokenx'), { recursive: true });
  for (const name of ['vitest', 'vite'])
    symlinkSync(join(projectRoot, 'node_modules', name), join(root, 'node_modules', name));
  spawnSync('git', ['init', '--quiet'], { cwd: root });
});
afterAll(() => rmSync(root, { recursive: true }));

describe('a run over a module with a weak test', () => {
  it('reports what the test notices, what it does not, and what it does not reach; the tree stays as it was', async () => {
    const wanted = ['n <= 10', 'n >= 10', 'n >= 0'];
    const mutants = (await typescriptMutants(root, ['edge/src/small.ts'])).filter(({ replacement }) =>
      wanted.includes(replacement),
    );
    const outcomes = await runMutants(place, options, mutants);
    expect(Object.fromEntries(outcomes.map(({ mutant, status }) => [mutant.replacement, status]))).toEqual({
      ...{ 'n <= 10': 'survived', 'n >= 10': 'killed', 'n >= 0': 'no coverage' },
    });
    expect(tableOf(outcomes)).toContain('33.3 % noticed');
    expect(readFileSync(join(root, 'edge/src/small.ts'), 'utf8')).toBe(source);

    const again = await runMutants(place, options, mutants);
    expect(again).toEqual(outcomes);
    expect(said.at(-1)).toBe('3 mutants were judged before, 0 are left');
  });
});
