import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Names the folder of the whole project. */
export const root = fileURLToPath(new URL('../../', import.meta.url));

/** Reads a page of docs/specs, by its file's name without ".md". */
export function specPage(name: string): string {
  return readFileSync(join(root, 'docs/specs', `${name}.md`), 'utf8');
}

/** Returns the text of one numbered section, without its subsections. Throws when the page has no such section. */
export function sectionOf(page: string, number: string): string {
  const parts = page.split(/^(?=#{2,4} )/m);
  const found = parts.find((part) => new RegExp(`^#{2,4} ${number.replaceAll('.', '\\.')} `).test(part));
  if (!found) throw new Error(`no section ${number}`);
  return found;
}

/** Returns the cells of a section's first table, without its head. Throws when there is none. */
export function tableOf(page: string, number: string): string[][] {
  const lines = sectionOf(page, number).split('\n');
  const first = lines.findIndex((line) => line.startsWith('|'));
  if (first < 0) throw new Error(`section ${number} has no table`);
  const after = lines.slice(first);
  const end = after.findIndex((line) => !line.startsWith('|'));
  return after.slice(2, end < 0 ? undefined : end).map((line) =>
    line
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim()),
  );
}

/** Reads the sources below a folder, in the order of their paths. */
export function sourcesBelow(folder: string, ending: string): string[] {
  const names = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' });
  return names
    .filter((name) => name.endsWith(ending) && !/(^|\/)(node_modules|dist|target)\//.test(name))
    .sort()
    .map((name) => readFileSync(join(root, folder, name), 'utf8'));
}

/** Finds `const NAME = { word: 1, ... } as const` in the sources of an application. */
export function constantOf(folder: string, name: string): Record<string, number> {
  const pattern = new RegExp(`const ${name} = \\{([^}]*)\\} as const`);
  const found = sourcesBelow(folder, '.ts').flatMap((text) => pattern.exec(text)?.[1] ?? []);
  if (found.length !== 1) throw new Error(`${found.length} constants ${name} below ${folder}, expected one`);
  const entries = [...(found[0] ?? '').matchAll(/(\w+): (\d+)/g)].map(([, key, value]) => [key, Number(value)]);
  return Object.fromEntries(entries);
}

/** Reads the numbers of `pub const PREFIX_WORD: TYPE = 1;` in a Rust source, by word. */
export function rustConstants(file: string, pattern: RegExp): Record<string, number> {
  const text = readFileSync(join(root, file), 'utf8');
  const entries = [...text.matchAll(pattern)].map(([, name, value]) => [name, Number(value)]);
  return Object.fromEntries(entries);
}
