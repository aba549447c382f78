import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

/** Yields the project's Markdown files, relative to `root`. */
function* documents(root: string, folder = root): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (['node_modules', 'dist', 'target', '.git', '.gridtokenx', '.campaigns'].includes(entry.name)) continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* documents(root, path);
    else if (entry.name.endsWith('.md')) yield relative(root, path);
  }
}

/** Returns the relative links of a Markdown text, without their fragment. */
export function linksOf(text: string): string[] {
  return [...text.matchAll(/\]\(([^)\s#]+)(?:#[^)]*)?\)/g)]
    .map((match) => match[1] ?? '')
    .filter((link) => !/^[a-z]+:/.test(link));
}

/** Returns the npm scripts that a text names. */
export function scriptsOf(text: string): string[] {
  const named = [...text.matchAll(/\bnpm run ([a-z][a-z-]*)/g)].map((match) => match[1] ?? '');
  const short = [...text.matchAll(/\bnpm (start|test)\b/g)].map((match) => match[1] ?? '');
  return [...named, ...short];
}

/** Returns paths in back-ticks that look like files of this project (`edge/src/main.ts`). */
export function pathsOf(text: string): string[] {
  const roots = 'protocol|runtime|edge|firmware|broker|oracle|programs|simulators|testing|deploy|docs|tools';
  const pattern = new RegExp(`\`((?:${roots})/[A-Za-z0-9_./-]+)\``, 'g');
  return [...text.matchAll(pattern)].map((match) => match[1] ?? '');
}

/** Returns the findings of one document; `exists` answers for paths relative to the project's folder. */
export function judgeDocument(
  file: string,
  text: string,
  scripts: readonly string[],
  exists: (path: string) => boolean,
): string[] {
  const findings: string[] = [];
  for (const link of linksOf(text)) {
    if (!exists(join(dirname(file), link))) findings.push(`${file}: link to ${link}, which is not there`);
  }
  for (const script of scriptsOf(text)) {
    if (!scripts.includes(script)) findings.push(`${file}: npm script "${script}", which package.json does not have`);
  }
  for (const path of pathsOf(text)) {
    // A folder's own document may name its files relative to the folder.
    const there = exists(path) || exists(join(dirname(file), path));
    if (!path.includes('/dist/') && !path.includes('/target/') && !there) {
      findings.push(`${file}: names ${path}, which is not there`);
    }
  }
  return findings;
}

/** Returns the findings of all documents: missing links, npm scripts and files. */
export function checkDocuments(root: string): string[] {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  const exists = (path: string) => existsSync(join(root, path));
  const names = Object.keys(scripts);
  return [...documents(root)].flatMap((file) =>
    judgeDocument(file, readFileSync(join(root, file), 'utf8'), names, exists),
  );
}

/** Returns dependencies of any package that `docs/dependencies.md` does not list. */
export function checkDependencies(root: string, packages: readonly string[]): string[] {
  const table = readFileSync(join(root, 'docs/dependencies.md'), 'utf8');
  const findings: string[] = [];
  for (const folder of packages) {
    const file = join(root, folder, 'package.json');
    const manifest = JSON.parse(readFileSync(file, 'utf8')) as Record<string, Record<string, string>>;
    for (const group of ['dependencies', 'devDependencies', 'optionalDependencies']) {
      for (const [name, version] of Object.entries(manifest[group] ?? {})) {
        if (name.startsWith('@gridtokenx/')) continue;
        if (!/^\d+\.\d+\.\d+$/.test(version))
          findings.push(`${folder}/package.json: ${name} is not pinned: ${version}`);
        if (!table.includes(`| \`${name}\` | ${version} |`)) {
          findings.push(
            `docs/dependencies.md: no row "| \`${name}\` | ${version} |" (used by ${folder || 'the root'})`,
          );
        }
      }
    }
  }
  return findings;
}
