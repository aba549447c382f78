import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, extname, join } from 'node:path';

/** Maps the name that citations use (`wire`) to the numbers of that page's sections (`4.2`). */
export type Specs = ReadonlyMap<string, ReadonlySet<string>>;

const FOLDER = 'docs/specs';
/** Shortens the names of pages in citations. */
const SHORT: Readonly<Record<string, string>> = { 'wire-format': 'wire' };
const SKIPPED = ['node_modules', 'dist', 'target', '.git', '.gridtokenx', '.campaigns'];
const CHECKED = ['.ts', '.rs', '.mjs', '.md'];

/** Matches a citation, also across a line break of a comment. */
const CITATION = /\[([a-z][a-z-]*)\s+(?:(?:\*|\/\/[/!]?)\s+)?§([^\]]*)\]/g;
const HEADING = /^#{2,4} (\d+(?:\.\d+)*) \S/gm;
/** Matches a fenced block of a document, indented or not. */
export const FENCED = /^ *(```|~~~).*?^ *\1/gms;
// Strings and patterns come first, so that their contents never match as comments.
const QUOTED = /"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`/;
const PATTERN = /(?<=[(,=:[!&|?{;>]\s*)\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\//;
const COMMENT = /(\/\*[\s\S]*?\*\/|\/\/[^\n]*)/;
const SCRIPT = new RegExp([QUOTED, PATTERN, COMMENT].map(({ source }) => source).join('|'), 'g');
// A single quote in Rust is a lifetime as often as a character.
const RUST = new RegExp(`"(?:\\\\.|[^"\\\\])*"|${COMMENT.source}`, 'g');
/** Matches a path with a slash, or the bare name of a document. */
const PATH = /(?<![\w@#:/.{}$%-])((?:\.\.?\/)*(?:[\w.-]+\/)+[\w.-]*|[a-z][a-z0-9-]*\.md)\b\/?/g;
const SOURCE = /\.(?:ts|rs|mjs|md|py|sh)$/;
/** Matches paths that a build makes, and placeholders. */
const NOT_THERE = /(?:^|\/)(?:node_modules|dist|target|\.campaigns|[A-Z]{2,})(?:[/.]|$)/;

/** Replaces text by blanks, so that the rest keeps its places. */
export const blank = (text: string): string => text.replace(/[^\n]/g, ' ');

/** Returns the comments of a source at their places, everything else as blanks. A document is returned whole. */
export function commentsOf(file: string, text: string): string {
  const ending = extname(file);
  if (ending === '.md') return text;
  let at = 0;
  let comments = '';
  for (const match of text.matchAll(ending === '.rs' ? RUST : SCRIPT)) {
    if (match[1] === undefined) continue;
    comments += blank(text.slice(at, match.index)) + match[1];
    at = match.index + match[1].length;
  }
  return comments + blank(text.slice(at));
}

/** Returns the code of a source at its places: comments, strings and patterns as blanks. A document has none. */
export function codeOf(file: string, text: string): string {
  const ending = extname(file);
  if (ending === '.md') return blank(text);
  return text.replace(ending === '.rs' ? RUST : SCRIPT, blank);
}

/** Returns the numbers of a page's headings, in their order; ignores fenced blocks. */
export function sectionsOf(page: string): string[] {
  return [...page.replace(FENCED, blank).matchAll(HEADING)].map((match) => match[1] ?? '');
}

const lineAt = (text: string, index: number): number => text.slice(0, index).split('\n').length;

/** Finds citations that name no page, or no section of their page. `comments`: see `commentsOf`. */
export function judgeCitations(file: string, comments: string, specs: Specs): string[] {
  return [...comments.matchAll(CITATION)].flatMap((match) => {
    const [, name = '', section = ''] = match;
    const citation = `[${name} §${section}]`;
    const at = `${file}:${lineAt(comments, match.index)}`;
    const sections = specs.get(name);
    if (!sections) return [`${at}: ${citation}: there is no specification "${name}" in ${FOLDER}`];
    return sections.has(section) ? [] : [`${at}: ${citation}: that specification has no section ${section}`];
  });
}

/** Returns the paths in a text that lie below a folder of the project, or belong to a source or document. */
export function pathsIn(comments: string, folders: readonly string[]): { path: string; index: number }[] {
  return [...comments.matchAll(PATH)].flatMap((match) => {
    const path = (match[1] ?? '').replace(/[./]+$/, '');
    const [first = ''] = path.replace(/^(?:\.\.?\/)+/, '').split('/');
    const isOurs = folders.includes(first) && path.includes('/');
    // A path that continues with a pattern names no single file.
    const isPattern = /^[*{<$]/.test(comments.slice(match.index + match[0].length, match.index + match[0].length + 1));
    if (isPattern || NOT_THERE.test(path) || !(isOurs || SOURCE.test(path))) return [];
    return [{ path, index: match.index }];
  });
}

/**
 * Finds paths that do not exist. A path may start from the project's folder, from the file's own, or from any folder
 * between them. `exists` answers for paths from the project's folder.
 */
export function judgePaths(
  file: string,
  comments: string,
  folders: readonly string[],
  exists: (path: string) => boolean,
): string[] {
  const isThere = (path: string): boolean => {
    for (let from = dirname(file); ; from = dirname(from)) {
      if (exists(join(from, path))) return true;
      if (from === '.') return false;
    }
  };
  return pathsIn(comments, folders)
    .filter(({ path }) => !isThere(path))
    .map(({ path, index }) => `${file}:${lineAt(comments, index)}: names ${path}, which is not there`);
}

/** Reads the specifications of a project. Throws the disk's error where it has none. */
export function readSpecs(root: string): Specs {
  const pages = readdirSync(join(root, FOLDER)).filter((name) => name.endsWith('.md'));
  return new Map(
    pages.map((name) => {
      const page = name.slice(0, -3);
      return [SHORT[page] ?? page, new Set(sectionsOf(readFileSync(join(root, FOLDER, name), 'utf8')))];
    }),
  );
}

/** Finds numbers that two headings of one specification share. */
function judgeNumbers(root: string): string[] {
  return readdirSync(join(root, FOLDER)).flatMap((name) => {
    const numbers = sectionsOf(readFileSync(join(root, FOLDER, name), 'utf8'));
    const twice = numbers.filter((number, i) => numbers.indexOf(number) < i);
    return twice.map((number) => `${FOLDER}/${name}: two sections are numbered ${number}`);
  });
}

/** Yields sources and documents of a project, as paths from its folder. */
export function* filesOf(root: string, folder = ''): Generator<string> {
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    if (SKIPPED.includes(entry.name)) continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* filesOf(root, path);
    else if (CHECKED.includes(extname(path))) yield path;
  }
}

/** Finds citations that do not resolve and paths that do not exist, in all comments and documents of a project. */
export function checkCitations(root: string): string[] {
  const specs = readSpecs(root);
  const entries = readdirSync(root, { withFileTypes: true });
  const folders = entries
    .filter((entry) => entry.isDirectory() && !SKIPPED.includes(entry.name))
    .map(({ name }) => name);
  const exists = (path: string) => existsSync(join(root, path));
  const found = [...filesOf(root)].flatMap((file) => {
    const comments = commentsOf(file, readFileSync(join(root, file), 'utf8'));
    return [...judgeCitations(file, comments, specs), ...judgePaths(file, comments, folders, exists)];
  });
  return [...judgeNumbers(root), ...found];
}
