import { defineConfig } from 'vitest/config';

/** Tests run on the sources: the `gridtokenx-source` condition points workspace imports at src/. */
export default defineConfig({
  resolve: { conditions: ['gridtokenx-source', 'node', 'import', 'default'] },
  ssr: { resolve: { conditions: ['gridtokenx-source', 'node', 'import', 'default'] } },
  test: {
    include: ['*/test/**/*.test.ts', '{testing,tools}/*/test/**/*.test.ts', 'programs/tests/**/*.test.ts'],
    exclude: ['**/node_modules/**', '**/dist/**', '**/target/**'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: 'forks',
    maxWorkers: 2,
  },
});
