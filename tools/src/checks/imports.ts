import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';

/** Workspace packages that each folder's sources may import. Applications never import applications. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  protocol: [],
  runtime: [],
  edge: ['@gridtokenx/protocol', '@gridtokenx/runtime'],
  broker: ['@gridtokenx/protocol', '@gridtokenx/runtime'],
  oracle: ['@gridtokenx/protocol', '@gridtokenx/runtime', '@gridtokenx/chain-client'],
  simulators: ['@gridtokenx/protocol'],
  'simulators/campaigns': ['@gridtokenx/protocol', '@gridtokenx/chain-client', '@gridtokenx/simulators'],
  'programs/clients': ['@gridtokenx/protocol'],
  tools: ['@gridtokenx/protocol', '@gridtokenx/runtime', '@gridtokenx/chain-client', '@gridtokenx/simulators'],
};

/** Campaigns drive applications from outside, so they may name their modules: `#oracle/domain/intake.js`. */
const DRIVES_APPLICATIONS = 'simulators/campaigns';

/** One import in a source file. Paths are relative to the project's folder, with `/`. */
export interface ImportUse {
  readonly file: string;
  readonly specifier: string;
}

const SPECIFIER = /(?:\bfrom\s*|\bimport\s*\(\s*|\bimport\s+)['"]([^'"]+)['"]/g;

/** Every static and dynamic import with a literal specifier in a TypeScript source. */
export function importsOf(text: string): string[] {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
  return [...code.matchAll(SPECIFIER)].map((match) => match[1] ?? '');
}

/** What is wrong with an import, in words; null when it is allowed. */
export function judgeImport({ file, specifier }: ImportUse): string | null {
  const owner = Object.keys(ALLOWED).find((folder) => file.startsWith(`${folder}/src/`));
  if (!owner) return null;
  if (specifier.startsWith('@gridtokenx/')) {
    const allowed = ALLOWED[owner] ?? [];
    if (specifier === '@gridtokenx/runtime' && /\/src\/domain\//.test(file)) {
      return 'the domain may not import @gridtokenx/runtime: put it behind a port';
    }
    return allowed.includes(specifier) ? null : `${owner} may not import ${specifier}`;
  }
  if (specifier.startsWith('#')) {
    return owner === DRIVES_APPLICATIONS
      ? null
      : `${owner} may not import ${specifier}: only campaigns drive applications`;
  }
  if (owner === 'protocol' && specifier.startsWith('node:')) return 'the protocol is pure: no node:*';
  if (!specifier.startsWith('.')) return judgeDomain(file, specifier);
  return judgeRooms(owner, file, specifier);
}

/** The domain knows the wire format and nothing else of the world. */
function judgeDomain(file: string, specifier: string): string | null {
  if (!/^(edge|broker|oracle)\/src\/domain\//.test(file)) return null;
  return specifier.startsWith('node:') ? `the domain may not import ${specifier}: put it behind a port` : null;
}

/** Inside an application: adapters do not import each other, the domain imports neither adapters nor main. */
function judgeRooms(owner: string, file: string, specifier: string): string | null {
  const from = file.split('/').slice(0, -1);
  const target = [...from];
  for (const part of specifier.split('/')) {
    if (part === '..') target.pop();
    else if (part !== '.') target.push(part);
  }
  const path = target.join('/');
  if (!path.startsWith(`${owner}/`) && !/\.json$/.test(path)) return `${specifier} leaves ${owner}: import the package`;
  const room = (of: string) => /^(?:edge|broker|oracle)\/src\/(domain|adapters)(?:\/([^/.]+))?/.exec(of);
  const [here, there] = [room(file), room(path)];
  if (here?.[1] === 'domain' && (there?.[1] === 'adapters' || /\/src\/(main|config)\.js$/.test(path))) {
    return 'the domain may not import adapters, configuration or main';
  }
  if (here?.[1] === 'adapters' && there?.[1] === 'adapters' && here[2] !== there[2]) {
    return `adapter ${here[2]} may not import adapter ${there[2]}`;
  }
  return null;
}

function* sources(folder: string): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* sources(path);
    else if (entry.name.endsWith('.ts')) yield path;
  }
}

/** Findings `file: what` of the whole project; empty when all imports point the right way. */
export function checkImports(root: string): string[] {
  const findings: string[] = [];
  for (const folder of Object.keys(ALLOWED)) {
    for (const path of sources(join(root, folder, 'src'))) {
      const file = relative(root, path).split(sep).join('/');
      for (const specifier of importsOf(readFileSync(path, 'utf8'))) {
        const finding = judgeImport({ file, specifier });
        if (finding) findings.push(`${file}: ${finding}`);
      }
    }
  }
  return findings;
}
