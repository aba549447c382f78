import { describe, expect, it } from 'vitest';
import { checkDependencies, judgeDocument } from '../src/documents.js';
import { importsOf, judgeImport } from '../src/imports.js';
import { projectRoot } from '../src/root.js';

describe('the check of import directions', () => {
  it.each([
    ['protocol/src/ack.ts', 'node:fs', 'no node:*'],
    ['protocol/src/ack.ts', '@gridtokenx/edge', 'may not import'],
    ['edge/src/main.ts', '@gridtokenx/oracle', 'may not import'],
    ['oracle/src/domain/x.ts', 'node:fs', 'behind a port'],
    ['oracle/src/domain/x.ts', '../adapters/sqlite/db.js', 'domain may not import adapters'],
    ['oracle/src/domain/x.ts', '../main.js', 'domain may not import adapters, configuration or main'],
    ['oracle/src/adapters/mqtt/link.ts', '../sqlite/db.js', 'adapter mqtt may not import adapter sqlite'],
    ['edge/src/a.ts', '../../broker/src/main.js', 'leaves edge'],
    ['edge/src/a.ts', '#oracle/domain/scan.js', 'only testing/'],
    ['simulators/src/a.ts', '#oracle/domain/scan.js', 'only testing/'],
    ['edge/test/a.test.ts', '../../oracle/src/ports.js', 'leaves edge'],
    ['edge/test/a.test.ts', '@gridtokenx/oracle', 'may not import'],
    ['edge/src/a.ts', '@gridtokenx/testing-kit/event-clock', 'may not import'],
    ['edge/src/a.ts', '../../deploy/tls/certificates.js', 'leaves edge'],
    [
      'edge/src/domain/metering/a.ts',
      '../../wiring/config.js',
      'domain may not import adapters, configuration or main',
    ],
    ['tools/audit/src/a.ts', '@gridtokenx/protocol', 'may not import'],
    ['testing/campaigns/src/a.ts', '@gridtokenx/oracle', 'may not import'],
    ['testing/campaigns/src/a.ts', '../../../oracle/src/ports.js', 'leaves testing/campaigns'],
    ['edge/src/domain/a.ts', '@gridtokenx/runtime', 'behind a port'],
    ['edge/src/domain/bus/a.ts', '@gridtokenx/runtime/node', 'behind a port'],
    ['oracle/src/ports.ts', '@gridtokenx/runtime/node', 'behind a port'],
    ['runtime/src/core/a.ts', '@gridtokenx/protocol', 'imports nothing'],
    ['runtime/src/core/a.ts', 'node:fs', 'imports nothing'],
    ['runtime/src/core/a.ts', 'yaml', 'imports nothing'],
    ['runtime/src/core/a.ts', '../node/http-server.js', 'imports nothing'],
    ['runtime/src/node/a.ts', '@gridtokenx/chain-client', 'may not import'],
    ['protocol/src/a.ts', '@gridtokenx/runtime/core', 'may not import'],
    ['broker/src/run.ts', 'pino', 'runtime has it'],
  ])('refuses %s importing %s', (file, specifier, part) => {
    expect(judgeImport({ file, specifier })).toContain(part);
  });

  it.each([
    ['oracle/src/adapters/mqtt/link.ts', '../../domain/verdicts.js'],
    ['oracle/src/adapters/mqtt/link.ts', './topic.js'],
    ['oracle/src/main.ts', './adapters/mqtt/link.js'],
    ['oracle/src/domain/x.ts', '@gridtokenx/protocol'],
    ['oracle/src/domain/x.ts', '@gridtokenx/runtime/core'],
    ['oracle/src/ports.ts', '@gridtokenx/runtime/core'],
    ['oracle/src/adapters/http/x.ts', '@gridtokenx/runtime/node'],
    ['runtime/src/core/health.ts', './clock.js'],
    ['runtime/src/node/http-server.ts', '../core/rates.js'],
    ['runtime/src/node/verifier.ts', '@gridtokenx/protocol'],
    ['protocol/src/keys.ts', '@noble/ed25519'],
    ['tools/devnet/src/start/plan.ts', '@gridtokenx/simulators'],
    ['testing/campaigns/src/ledger/bench.ts', '#oracle/domain/intake.js'],
    ['edge/test/a.test.ts', '@gridtokenx/testing-kit/event-clock'],
    ['edge/test/a.test.ts', '../../deploy/tls/certificates.js'],
    ['testing/kit/src/a.ts', '../../../deploy/tls/certificates.js'],
  ])('allows %s importing %s', (file, specifier) => {
    expect(judgeImport({ file, specifier })).toBeNull();
  });

  it('sees static, side-effect and dynamic imports, and none in comments', () => {
    const text = `import a from 'a';\nimport 'b';\nexport * from "c";\nconst d = await import('d');\n// import x from 'x';\n/* from 'y' */`;
    expect(importsOf(text)).toEqual(['a', 'b', 'c', 'd']);
  });
});

describe('the check of documents', () => {
  const exists = (path: string) => ['docs/a.md', 'edge/src/main.ts'].includes(path);

  it('finds links, scripts and files that are not there', () => {
    const text = 'See [a](a.md) and [b](b.md), run `npm run nothing`, open `edge/src/main.ts` and `edge/src/gone.ts`.';
    expect(judgeDocument('docs/x.md', text, ['start'], exists)).toEqual([
      'docs/x.md: link to b.md, which is not there',
      'docs/x.md: npm script "nothing", which package.json does not have',
      'docs/x.md: names edge/src/gone.ts, which is not there',
    ]);
  });

  it('finds a dependency that the table does not have (control: an empty list of packages finds none)', () => {
    expect(checkDependencies(projectRoot, [])).toEqual([]);
    expect(checkDependencies(projectRoot, ['tools/devnet'])).toEqual([]);
  });
});
