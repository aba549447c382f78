import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readGraph, testsOf } from '../src/graph.js';

const root = mkdtempSync(join(tmpdir(), 'gtx-graph-'));
const workspace = (name: string, more: object = {}) => JSON.stringify({ name: `@gridtokenx/${name}`, ...more });
const files: Record<string, string> = {
  'package.json': JSON.stringify({ workspaces: ['protocol', 'edge', 'testing/e2e'] }),
  'protocol/package.json': workspace('protocol', { exports: { '.': { 'gridtokenx-source': './src/index.ts' } } }),
  'protocol/src/index.ts': "export * from './ack.js';",
  'protocol/src/ack.ts': '',
  'protocol/test/ack.test.ts': "import '../src/ack.js';",
  'edge/package.json': workspace('edge'),
  'edge/src/main.ts': "import { a } from './delivery.js';\n// import './comment.js';",
  'edge/src/comment.ts': '',
  'edge/src/delivery.ts':
    "import { ack } from '@gridtokenx/protocol';\nnew Worker(new URL('./thread.js', import.meta.url));",
  'edge/src/thread.ts': '',
  'edge/test/delivery.test.ts': "import '../src/delivery.js';",
  'edge/test/process.test.ts': "spawn(join(root, 'edge/dist/main.js'));",
  'edge/test/main.slow.test.ts': "import '../src/main.js';",
  'edge/test/other.test.ts': "import 'vitest';",
  'testing/e2e/package.json': workspace('e2e', {
    imports: { '#edge/*.js': { 'gridtokenx-source': '@gridtokenx/edge/src/*.ts' } },
  }),
  'testing/e2e/test/all.test.ts': `import ${"'#edge/delivery.js'"};`,
};

beforeAll(() => {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text);
  }
});
afterAll(() => rmSync(root, { recursive: true }));

const namesOf = (source: string) => testsOf(readGraph(root), source).map(({ file }) => file);

describe('the test files that reach a source', () => {
  it('are found through relative imports, packages, aliases and started scripts, nearest first', () => {
    expect(namesOf('edge/src/delivery.ts')).toEqual([
      'edge/test/delivery.test.ts',
      'edge/test/process.test.ts',
      'testing/e2e/test/all.test.ts',
    ]);
    expect(testsOf(readGraph(root), 'protocol/src/ack.ts')).toEqual([
      { file: 'protocol/test/ack.test.ts', distance: 1 },
      { file: 'edge/test/delivery.test.ts', distance: 6 },
      { file: 'testing/e2e/test/all.test.ts', distance: 6 },
      { file: 'edge/test/process.test.ts', distance: 8 },
    ]);
  });

  it('are found through the start of a thread', () => {
    expect(namesOf('edge/src/thread.ts')).toContain('edge/test/delivery.test.ts');
  });

  it('are not found through a comment', () => {
    expect(namesOf('edge/src/comment.ts')).toEqual([]);
  });
});
