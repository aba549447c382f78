import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** SPDX names of licences that every package may have. */
const ALLOWED: readonly string[] = [...['0BSD', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', 'ISC', 'MIT', 'Zlib']];

interface Exception {
  readonly name: RegExp;
  /** The licence in the lock file; null where the lock file names none. */
  readonly licence: string | null;
  readonly why: string;
  /** Workspaces whose dependencies may not include it, because they ship it to other people's machines. */
  readonly notIn: readonly string[];
}

/** Packages that are allowed by name, each with its reason. */
const EXCEPTIONS: readonly Exception[] = [
  {
    name: /^rpc-websockets$/,
    licence: 'LGPL-3.0-only',
    why: 'comes with @solana/web3.js, unmodified, and can be exchanged in node_modules',
    notIn: ['edge'],
  },
  {
    name: /^lightningcss(-[a-z0-9-]+)?$/,
    licence: 'MPL-2.0',
    why: 'comes with vitest, unmodified; no service runs it',
    notIn: ['edge', 'broker', 'oracle'],
  },
  {
    name: /^caniuse-lite$/,
    licence: 'CC-BY-4.0',
    why: 'data that comes with the instrumenter of `npm run mutants`, unmodified; no service runs it',
    notIn: ['edge', 'broker', 'oracle'],
  },
  { name: /^eyes$/, licence: null, why: 'MIT by its LICENSE file; comes with @solana/web3.js', notIn: ['edge'] },
  {
    name: /^text-encoding-utf-8$/,
    licence: null,
    why: 'public domain by its LICENSE.md; comes with @solana/web3.js',
    notIn: ['edge'],
  },
  {
    name: /^(@biomejs\/cli|litesvm)-[a-z0-9-]+$/,
    licence: null,
    why: 'platform part of a package of MIT or Apache-2.0, added to the lock by version',
    notIn: ['edge', 'broker', 'oracle'],
  },
];

/** One entry of a lock file of npm, version 3. */
export interface LockEntry {
  readonly license?: string;
  readonly link?: boolean;
  readonly resolved?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

export type Lock = Readonly<Record<string, LockEntry>>;

/** Returns true when a licence expression (`MIT OR X`, `A AND B`, brackets around it) needs no exception. */
export function isAllowed(licence: string): boolean {
  const plain = licence.replace(/^\((.*)\)$/, '$1');
  if (plain.includes(' OR ')) return plain.split(' OR ').some(isAllowed);
  if (plain.includes(' AND ')) return plain.split(' AND ').every(isAllowed);
  return ALLOWED.includes(plain);
}

const nameOf = (path: string) => path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);

/**
 * Finds a package's dependency in the lock file: in the package's own folder, or in a folder above. Null when it is not
 * installed.
 */
function placeOf(lock: Lock, from: string, name: string): string | null {
  for (let base = from; ; base = base.slice(0, Math.max(0, base.lastIndexOf('/')))) {
    const path = base === '' ? `node_modules/${name}` : `${base}/node_modules/${name}`;
    const entry = lock[path];
    if (entry) return entry.link ? (entry.resolved ?? null) : path;
    if (base === '') return null;
  }
}

/** Lists every package that a workspace installs. */
export function closureOf(lock: Lock, workspace: string): ReadonlySet<string> {
  const seen = new Set<string>();
  const queue = [workspace];
  for (let at = queue.pop(); at !== undefined; at = queue.pop()) {
    if (seen.has(at)) continue;
    seen.add(at);
    const { dependencies, optionalDependencies } = lock[at] ?? {};
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
      const place = placeOf(lock, at, name);
      if (place !== null) queue.push(place);
    }
  }
  return seen;
}

/** Lists findings of a lock file: licences that are not allowed, and packages in workspaces that exclude them. */
export function judgeLicences(lock: Lock): string[] {
  const findings: string[] = [];
  const kept = new Map<string, Exception>();
  for (const [path, { license = null, link }] of Object.entries(lock)) {
    if (!path.includes('node_modules/') || link || (license !== null && isAllowed(license))) continue;
    const exception = EXCEPTIONS.find(({ name, licence }) => name.test(nameOf(path)) && licence === license);
    if (exception) kept.set(path, exception);
    else findings.push(`package-lock.json: ${path} has the licence ${license ?? '(none)'}, which is not allowed`);
  }
  for (const workspace of ['edge', 'broker', 'oracle']) {
    for (const path of closureOf(lock, workspace)) {
      if (!kept.get(path)?.notIn.includes(workspace)) continue;
      findings.push(`package-lock.json: ${path} may not be among the dependencies of ${workspace}`);
    }
  }
  return findings;
}

/** Lists findings of the project's own lock file. */
export function checkLicences(root: string): string[] {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as { packages: Lock };
  return judgeLicences(packages);
}
