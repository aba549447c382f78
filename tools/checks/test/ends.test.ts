import { execFile, execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { delimiter, join, relative } from 'node:path';
import { whyNodeIsTooOld } from '@gridtokenx/runtime/core';
import { beforeAll, describe, expect, it } from 'vitest';
import { projectRoot } from '../src/root.js';

const GONE = join(projectRoot, 'no/such/file');
const NOWHERE = 'http://127.0.0.1:9';

/** Command lines whose error the user can correct. A command without a file argument has no case for a missing file. */
const SCRIPTS: Readonly<Record<string, readonly (readonly string[])[]>> = {
  start: [['--nonsense'], ['--profiles', GONE], ['--windows', '0']],
  test: [['--nonsense'], [GONE]],
  'test:slow': [['--nonsense'], [GONE]],
  check: [['--nonsense']],
  lint: [['--nonsense']],
  format: [['--nonsense']],
  typecheck: [['--nonsense']],
  bench: [['--nonsense'], ['nonsense']],
  build: [['--nonsense']],
  'verify-report': [['--nonsense'], [GONE], [join(projectRoot, 'package.json')]],
  audit: [['--nonsense'], ['--rpc', NOWHERE, '--previous', GONE], ['--rpc', NOWHERE]],
  'submit-statement': [['--nonsense'], ['--rpc', NOWHERE, '--payer', GONE, GONE]],
  campaign: [['--nonsense'], ['nonsense']],
  mutants: [['--nonsense'], [GONE]],
};
const PROGRAMS: Readonly<Record<string, readonly (readonly string[])[]>> = {
  'broker/dist/main.js': [['--nonsense'], ['nonsense'], ['run', '--config', GONE]],
  'edge/dist/main.js': [['--nonsense'], ['nonsense'], ['run', '--config', GONE]],
  'oracle/dist/main.js': [['--nonsense'], ['nonsense'], ['run', '--config', GONE]],
  'simulators/dist/meters-main.js': [['--nonsense'], ['nonsense'], ['run', '--config', GONE]],
  'tools/devnet/dist/chain/main.js': [['--nonsense'], ['--config', GONE]],
  'tools/build.mjs': [['--nonsense']],
  'tools/complete-lock.mjs': [['--nonsense']],
  'tools/profile-schema.mjs': [['--nonsense']],
  'tools/quality.mjs': [['--nonsense']],
  'tools/run.mjs': [['--nonsense']],
  'tools/sunspec-models.mjs': [['--nonsense'], [GONE]],
  'tools/test.mjs': [['--nonsense']],
  'simulators/scripts/make-default-profiles.mjs': [['--nonsense']],
  'deploy/influx/setup.mjs': [['--nonsense'], []],
  'deploy/tls/certificates.ts': [['--nonsense', 'name'], []],
};
/** Mains that a script of package.json runs: the first table covers them. */
const RUN_BY_SCRIPTS = [
  'tools/devnet/dist/start/main.js',
  'tools/submit/dist/main.js',
  'tools/audit/dist/main.js',
  'tools/checks/dist/main.js',
  'testing/bench/dist/main.js',
  'testing/campaigns/dist/main.js',
  'tools/mutants/dist/main.js',
];
/** Programs that run on any installed Node. */
const SERVICES = [
  'broker/dist/main.js',
  'edge/dist/main.js',
  'oracle/dist/main.js',
  'simulators/dist/meters-main.js',
  'tools/devnet/dist/chain/main.js',
  'tools/devnet/dist/start/main.js',
];

interface Ended {
  readonly code: number | string | null | undefined;
  readonly errors: string;
}

const { NODE_OPTIONS: _, ...environment } = process.env;

function run(node: string, args: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    const child = execFile(
      node,
      [...args],
      { cwd: projectRoot, env: environment, timeout: 50_000 },
      (error, _out, errors) => {
        resolve({ code: error ? error.code : 0, errors });
      },
    );
    child.stdin?.end();
  });
}

function expectOneLine({ code, errors }: Ended): void {
  expect(errors).toMatch(/^[^\n]+\n$/);
  expect(errors).not.toMatch(/^\s*at |node:internal/m);
  expect(code).toBe(2);
}

const nameOf = (program: string, args: readonly string[]) => [program, ...args].join(' ').replaceAll(GONE, 'GONE');

beforeAll(() => void execFileSync(process.execPath, [join(projectRoot, 'tools/build.mjs')]));

describe('what the person who types can mend ends with 2 and one line', { timeout: 60_000 }, () => {
  const { scripts } = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };

  it('the table has every script and every program', () => {
    expect(Object.keys(SCRIPTS).sort()).toEqual(Object.keys(scripts).sort());
    const known = [...Object.keys(PROGRAMS), ...RUN_BY_SCRIPTS];
    expect(programsIn(projectRoot).filter((path) => !known.includes(path))).toEqual([]);
  });

  for (const [name, lines] of Object.entries(SCRIPTS)) {
    for (const args of lines) {
      const [node = '', ...rest] = (scripts[name] ?? '').split(' ');
      it.concurrent(`npm run ${nameOf(name, args)}`, async () => {
        expect(node).toBe('node');
        expectOneLine(await run(process.execPath, [...rest, ...args]));
      });
    }
  }
  for (const [program, lines] of Object.entries(PROGRAMS)) {
    for (const args of lines) {
      it.concurrent(nameOf(program, args), async () => expectOneLine(await run(process.execPath, [program, ...args])));
    }
  }
});

/** Lists the programs that a person can start: built mains, and scripts. */
function programsIn(root: string, folder = ''): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    if (['node_modules', 'dist', 'target', 'test', 'programs', '.git', '.gridtokenx'].includes(entry.name)) return [];
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return programsIn(root, path);
    if (/main\.ts$/.test(entry.name) && !path.includes('/cli/'))
      return [path.replace('/src/', '/dist/').replace(/\.ts$/, '.js')];
    return entry.name.endsWith('.mjs') && entry.name !== 'script.mjs' ? [relative(root, join(root, path))] : [];
  });
}

/** Returns a Node on the PATH that cannot load the services; null where every one can. */
function olderNode(): string | null {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const binary = join(folder, 'node');
    if (!existsSync(binary)) continue;
    const version = execFileSync(binary, ['-p', 'process.versions.node'], {
      encoding: 'utf8',
      env: environment,
    }).trim();
    if (whyNodeIsTooOld('', version) !== null && Number(version.split('.')[0]) >= 20) return binary;
  }
  return null;
}

/** Makes this Node report an older version. */
const PRETEND = `data:text/javascript,${encodeURIComponent(
  "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.20.2' } })",
)}`;

describe('a Node that is too old gets one line', { timeout: 60_000 }, () => {
  for (const program of SERVICES) {
    it.concurrent(`${program} when it is told so`, async () => {
      const ended = await run(process.execPath, ['--import', PRETEND, program, 'run', '--config', GONE]);
      expectOneLine(ended);
      expect(ended.errors).toMatch(/Node 20\.20\.2 is too old; install Node 22\.15 or newer\n$/);
    });
  }

  const older = olderNode();
  for (const program of [...SERVICES, 'tools/build.mjs']) {
    (older === null ? it.skip : it.concurrent)(`${program} on the Node of this machine`, async () => {
      const ended = await run(older ?? '', program.endsWith('.mjs') ? [program] : [program, 'run', '--config', GONE]);
      expectOneLine(ended);
      expect(ended.errors).toMatch(/ is too old; /);
    });
  }

  it.skipIf(older === null)('npm start and npm test go on from Node 20 on', async () => {
    const said = await run(older ?? '', ['tools/run.mjs', 'start', '--nonsense']);
    expect(said.errors).toMatch(/^npm start: unknown option/);
    const tested = await run(older ?? '', ['tools/run.mjs', 'test', '--nonsense']);
    expect(tested.errors).toMatch(/^npm test: unknown option/);
  });
});
