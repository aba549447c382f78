import { defineConfig } from 'vitest/config';

const folders = '{*,{testing,tools}/*}/test/**';
/** Kills, servers of others and whole stacks: `npm run test:slow` runs them, and a filter finds them. */
const slow = [`${folders}/*.slow.test.ts`, 'programs/tests/**/*.slow.test.ts'];
const all = [`${folders}/*.test.ts`, 'programs/{tests,sender/test}/**/*.test.ts'];
const set = process.env.GTX_TESTS ?? 'all';

/** Tests run on the sources: the `gridtokenx-source` condition points workspace imports at src/. */
export default defineConfig({
  resolve: { conditions: ['gridtokenx-source', 'node', 'import', 'default'] },
  ssr: { resolve: { conditions: ['gridtokenx-source', 'node', 'import', 'default'] } },
  test: {
    include: set === 'slow' ? slow : all,
    exclude: ['**/node_modules/**', '**/dist/**', '**/target/**', ...(set === 'fast' ? slow : [])],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: 'forks',
    maxWorkers: 2,
  },
});
