import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, posix, relative, sep } from 'node:path';

/** The packages that the sources of each workspace may import. Applications never import applications. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  protocol: [],
  runtime: ['protocol'],
  edge: ['protocol', 'runtime'],
  broker: ['protocol', 'runtime'],
  oracle: ['protocol', 'runtime', 'chain-client', 'chain-sender'],
  simulators: ['protocol', 'runtime'],
  'programs/clients': ['protocol'],
  'programs/sender': ['protocol', 'runtime', 'chain-client'],
  'tools/audit': [],
  'tools/checks': ['runtime'],
  'tools/devnet': ['protocol', 'runtime', 'chain-client', 'simulators', 'audit'],
  'tools/mutants': ['checks', 'runtime'],
  'tools/submit': ['protocol', 'runtime', 'chain-client', 'devnet'],
  'testing/kit': ['protocol', 'runtime', 'chain-client', 'chain-sender', 'simulators', 'audit'],
  'testing/campaigns': ['protocol', 'runtime', 'chain-client', 'chain-sender', 'simulators', 'testing-kit'],
  'testing/bench': ['protocol', 'runtime', 'chain-client', 'chain-sender', 'simulators', 'testing-kit', 'devnet'],
  'testing/e2e': [
    ...['protocol', 'runtime', 'chain-client', 'chain-sender', 'simulators', 'testing-kit'],
    ...['devnet', 'audit', 'submit'],
  ],
};

/** Packages that any test may import beside those of its workspace's sources. */
const TESTS_MAY_IMPORT: readonly string[] = [
  'testing-kit',
  'protocol',
  'runtime',
  'simulators',
  'chain-client',
  'audit',
];
/** Packages that only tests of one workspace need. */
const TESTS_OF: Readonly<Record<string, readonly string[]>> = { oracle: ['devnet'], edge: ['bench'] };
/** Folders outside a workspace whose files a test and the kit may import: certificates for trials, the broker's harness. */
const TEST_HELPERS: readonly string[] = ['deploy/tls/', 'broker/test/'];

/** The part of the runtime that every domain may import, and that imports nothing. */
const CORE = 'runtime/src/core/';
/** Matches files without I/O: domains, and the ports that they name. */
const PURE = /\/src\/(?:domain\/|ports(?:\/|\.ts$))/;

/** Libraries that the runtime wraps: a service on the runtime has no second logger, parser, command line or binding. */
const BEHIND_THE_RUNTIME: readonly string[] = ['commander', 'mqtt', 'pino', 'prom-client', 'sodium-native', 'yaml'];
/** Services that use these libraries only through the runtime. */
const STANDS_ON_RUNTIME: readonly string[] = ['broker', 'oracle'];

/** One import in a source file. Paths are relative to the project's folder, with `/`. */
export interface ImportUse {
  readonly file: string;
  readonly specifier: string;
}

const SPECIFIER = /(?:\bfrom\s*|\bimport\s*\(\s*|\bimport\s+)['"]([^'"]+)['"]/g;

/** Lists every static and dynamic import with a literal specifier in a TypeScript source. */
export function importsOf(text: string): string[] {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
  return [...code.matchAll(SPECIFIER)].map((match) => match[1] ?? '');
}

/** Returns the workspace that a file belongs to, and `isTest`; null for a file outside of all workspaces. */
function ownerOf(file: string): { owner: string; isTest: boolean } | null {
  if (file.startsWith('programs/tests/')) return { owner: 'programs/clients', isTest: true };
  const owner = Object.keys(ALLOWED).find((folder) => file.startsWith(`${folder}/`));
  return owner ? { owner, isTest: !file.startsWith(`${owner}/src/`) } : null;
}

/** Returns the problem with an import in one line; null when the import is allowed. */
export function judgeImport({ file, specifier }: ImportUse): string | null {
  const place = ownerOf(file);
  if (!place) return null;
  const { owner, isTest } = place;
  if (file.startsWith(CORE) && !(specifier.startsWith('.') && pathOf(file, specifier).startsWith(CORE))) {
    return `${CORE} is pure: it imports nothing`;
  }
  if (specifier.startsWith('@gridtokenx/')) return judgePackage(owner, isTest, file, specifier);
  if (specifier.startsWith('#')) {
    return owner.startsWith('testing/')
      ? null
      : `${owner} may not import ${specifier}: only testing/ drives applications`;
  }
  if (!isTest && STANDS_ON_RUNTIME.includes(owner) && BEHIND_THE_RUNTIME.includes(specifier)) {
    return `${owner} may not import ${specifier}: @gridtokenx/runtime has it`;
  }
  if (owner === 'protocol' && !isTest && specifier.startsWith('node:')) return 'the protocol is pure: no node:*';
  if (!specifier.startsWith('.')) return judgeDomain(file, specifier);
  return judgeRooms(owner, isTest, file, specifier);
}

function judgePackage(owner: string, isTest: boolean, file: string, specifier: string): string | null {
  const name = specifier.split('/')[1] ?? '';
  if (name === 'runtime' && PURE.test(file) && specifier !== '@gridtokenx/runtime/core') {
    return `the domain may not import ${specifier}: take @gridtokenx/runtime/core, or put it behind a port`;
  }
  const allowed = [...(ALLOWED[owner] ?? []), ...(isTest ? [...TESTS_MAY_IMPORT, ...(TESTS_OF[owner] ?? [])] : [])];
  return allowed.includes(name) ? null : `${owner} may not import ${specifier}`;
}

/** Refuses imports of the domain other than the wire format and the runtime's core. */
function judgeDomain(file: string, specifier: string): string | null {
  if (!/^(edge|broker|oracle)\/src\/domain\//.test(file)) return null;
  return specifier.startsWith('node:') ? `the domain may not import ${specifier}: put it behind a port` : null;
}

/** Returns the path that a relative import names. */
const pathOf = (file: string, specifier: string) => posix.join(posix.dirname(file), specifier);

/** Refuses imports between adapters, and imports of adapters, configuration and mains by the domain. */
function judgeRooms(owner: string, isTest: boolean, file: string, specifier: string): string | null {
  const path = pathOf(file, specifier);
  const isOwn = path.startsWith(`${owner}/`) || (file.startsWith('programs/') && path.startsWith('programs/'));
  const isHelper = (isTest || owner === 'testing/kit') && TEST_HELPERS.some((folder) => path.startsWith(folder));
  if (!isOwn && !isHelper && !/\.m?json$/.test(path)) return `${specifier} leaves ${owner}: import the package`;
  const room = (of: string) => /^(?:edge|broker|oracle)\/src\/(domain|adapters)(?:\/([^/.]+))?/.exec(of);
  const [here, there] = [room(file), room(path)];
  if (
    here?.[1] === 'domain' &&
    (there?.[1] === 'adapters' || /\/src\/(main|config|cli\/.*|wiring\/.*)\.js$/.test(path))
  ) {
    return 'the domain may not import adapters, configuration or main';
  }
  if (here?.[1] === 'adapters' && there?.[1] === 'adapters' && here[2] !== there[2]) {
    return `adapter ${here[2]} may not import adapter ${there[2]}`;
  }
  return null;
}

/** Lists the TypeScript sources below a folder; none where the folder is missing. */
export function* sourcesIn(folder: string): Generator<string> {
  if (!existsSync(folder)) return;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (['node_modules', 'dist', 'target'].includes(entry.name)) continue;
    if (entry.isDirectory()) yield* sourcesIn(path);
    else if (entry.name.endsWith('.ts')) yield path;
  }
}

/** Lists findings `file: what` of sources and tests; empty when all imports follow the rules. */
export function checkImports(root: string): string[] {
  const findings: string[] = [];
  for (const folder of [...Object.keys(ALLOWED), 'programs/tests']) {
    for (const path of sourcesIn(join(root, folder))) {
      const file = relative(root, path).split(sep).join('/');
      for (const specifier of importsOf(readFileSync(path, 'utf8'))) {
        const finding = judgeImport({ file, specifier });
        if (finding) findings.push(`${file}: ${finding}`);
      }
    }
  }
  return findings;
}
