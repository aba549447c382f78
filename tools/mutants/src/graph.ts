import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { importsOf } from '@gridtokenx/checks/imports';

/** Maps each file to the sources that it imports or starts. */
export type Graph = ReadonlyMap<string, readonly string[]>;

/** The shape of a workspace's package.json that imports depend on. */
interface Package {
  readonly name: string;
  readonly exports?: Readonly<Record<string, string | { 'gridtokenx-source'?: string }>>;
  readonly imports?: Readonly<Record<string, { 'gridtokenx-source'?: string }>>;
}

interface Workspace {
  readonly folder: string;
  readonly package: Package;
}

const CONDITION = 'gridtokenx-source';
const SKIPPED = ['node_modules', 'dist', 'target'];
/** The tests of this folder hold sources as text, whose imports are not their own. */
const OWN = 'tools/mutants';
const COMMENTS = /\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm;
/** Matches the paths by which tests and services start scripts and threads. */
const STARTED = /['"`]((?:\.{1,2}\/|[a-z])[\w./-]*\.js)['"`]/g;

function* walk(root: string, folder: string): Generator<string> {
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    if (SKIPPED.includes(entry.name) || entry.name.startsWith('.')) continue;
    const path = posix.join(folder, entry.name);
    if (path === OWN) continue;
    if (entry.isDirectory()) yield* walk(root, path);
    else if (entry.name.endsWith('.ts')) yield path;
  }
}

/** Replaces the star of an entry in package.json: `./*` means `./src/*.ts`. */
function matched(pattern: string, target: string, wanted: string): string | null {
  if (pattern === wanted) return target;
  const [before = '', after] = pattern.split('*');
  if (after === undefined || !wanted.startsWith(before) || !wanted.endsWith(after)) return null;
  return target.replaceAll('*', wanted.slice(before.length, wanted.length - after.length));
}

/** Finds the source that a table of package.json assigns to a name; null when it assigns none. */
function entryOf(table: Package['exports'], wanted: string): string | null {
  for (const [pattern, value] of Object.entries(table ?? {})) {
    const target = typeof value === 'string' ? value : value[CONDITION];
    const found = target ? matched(pattern, target, wanted) : null;
    if (found) return found;
  }
  return null;
}

/** Resolves imports to sources. */
class Resolver {
  readonly #workspaces: readonly Workspace[];
  readonly #isThere: (file: string) => boolean;

  constructor(workspaces: readonly Workspace[], isThere: (file: string) => boolean) {
    this.#workspaces = workspaces;
    this.#isThere = isThere;
  }

  #package(specifier: string): string | null {
    const [scope, name, ...rest] = specifier.split('/');
    const workspace = this.#workspaces.find((each) => each.package.name === `${scope}/${name}`);
    if (!workspace) return null;
    if (rest[0] === 'src') return posix.join(workspace.folder, ...rest);
    const entry = entryOf(workspace.package.exports, ['.', ...rest].join('/'));
    return entry ? posix.join(workspace.folder, entry) : null;
  }

  /** Returns the source of an import; null for a third-party package. */
  importOf(file: string, specifier: string): string | null {
    if (specifier.startsWith('.')) return this.#source(posix.join(posix.dirname(file), specifier));
    if (specifier.startsWith('@gridtokenx/')) return this.#package(specifier);
    if (!specifier.startsWith('#')) return null;
    const owner = this.#workspaces.find(({ folder }) => file.startsWith(`${folder}/`));
    const target = entryOf(owner?.package.imports, specifier);
    return target ? this.importOf(file, target) : null;
  }

  /** Returns the source of a path to a script, from the file's folder, its workspace's or the project's. */
  startOf(file: string, path: string): string | null {
    const owner = this.#workspaces.find(({ folder }) => file.startsWith(`${folder}/`));
    const from = [posix.dirname(file), owner?.folder ?? '.', '.'];
    return from.map((folder) => this.#source(posix.join(folder, path))).find((found) => found !== null) ?? null;
  }

  #source(path: string): string | null {
    const source = path.replace(/(^|\/)dist\//, '$1src/').replace(/\.js$/, '.ts');
    return this.#isThere(source) ? source : null;
  }
}

function readWorkspaces(root: string): Workspace[] {
  const folders: string[] = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).workspaces;
  return folders
    .filter((folder) => existsSync(join(root, folder, 'package.json')))
    .map((folder) => ({ folder, package: JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8')) }));
}

/** Reads what every TypeScript file of a project imports, and the scripts that it starts by their path. */
export function readGraph(root: string): Graph {
  const files = [...walk(root, '.')];
  const known = new Set(files);
  const resolver = new Resolver(readWorkspaces(root), (file) => known.has(file));
  const graph = new Map<string, string[]>();
  for (const file of files) {
    const text = readFileSync(join(root, file), 'utf8').replace(COMMENTS, '');
    const imported = importsOf(text).map((specifier) => resolver.importOf(file, specifier));
    const started = [...text.matchAll(STARTED)].map((match) => resolver.startOf(file, match[1] ?? ''));
    graph.set(file, [
      ...new Set([...imported, ...started].filter((each) => each !== null && each !== file)),
    ] as string[]);
  }
  return graph;
}

const isTest = (file: string): boolean => file.endsWith('.test.ts') && !file.endsWith('.slow.test.ts');
/** Names the folder that a file and its own tests share. */
const homeOf = (file: string): string =>
  file.replace(/\/(src|test|tests|clients|support)\/.*$/, '').replace(/^programs\/.*/, 'programs');

/** A test file that reaches a source. */
export interface Near {
  readonly file: string;
  /** Imports between them, twice as many for tests of another workspace. */
  readonly distance: number;
}

/** Lists the test files that reach a source through imports, nearest first, then by path. Omits slow files. */
export function testsOf(graph: Graph, source: string): Near[] {
  const importers = new Map<string, string[]>();
  for (const [file, imported] of graph) {
    for (const each of imported) importers.set(each, [...(importers.get(each) ?? []), file]);
  }
  const steps = new Map([[source, 0]]);
  for (const [file, step] of steps) {
    for (const importer of importers.get(file) ?? []) {
      if (!steps.has(importer)) steps.set(importer, step + 1);
    }
  }
  return [...steps]
    .filter(([file]) => isTest(file))
    .map(([file, step]) => ({ file, distance: homeOf(file) === homeOf(source) ? step : 2 * step }))
    .sort((a, b) => a.distance - b.distance || (a.file < b.file ? -1 : 1));
}
