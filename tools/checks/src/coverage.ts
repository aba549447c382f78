import { readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';

const PAGE = 'docs/coverage.md';
const DECISIONS = 'docs/decisions/0013-scope.md';
const PARTS_HEADING = 'Later parts';
const COLUMNS = ['section', 'demand', 'state', 'where'] as const;
/** Catches a page that lost most of its rows: the requirements have more demands than this. */
const MIN_ROWS = 400;

/** Answers for the tree: `isFile` takes a path relative to the project's folder. */
export interface Tree {
  readonly isFile: (path: string) => boolean;
  /** Headings of the decision page, as anchors of links. */
  readonly anchors: ReadonlySet<string>;
}

interface Row {
  readonly line: number;
  readonly heading: string;
  readonly cells: readonly string[];
}

/** Returns the anchor that GitHub gives to a heading: lower case, hyphens for spaces, no other punctuation. */
export function anchorOf(heading: string): string {
  return heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}_\- ]/gu, '')
    .replaceAll(' ', '-');
}

/** Lists the anchors of the second-level headings of a page. */
export function anchorsOf(page: string): Set<string> {
  return new Set([...page.matchAll(/^## (.+)$/gm)].map((match) => anchorOf(match[1] ?? '')));
}

/** Reads the defined parts, `- **name**: sentence` below their heading. Maps each name to its sentence. */
function partsOf(page: string): Map<string, string> {
  const [, after = ''] = page.split(`\n## ${PARTS_HEADING}\n`);
  const [section = ''] = after.split(/^## /m);
  return new Map(
    [...section.matchAll(/^- \*\*(.+?)\*\*:(.*)$/gm)].map((item) => [item[1] ?? '', item[2]?.trim() ?? '']),
  );
}

function cellsOf(line: string): string[] {
  const inner = line.trim().replace(/^\|/, '').replace(/\|$/, '');
  return inner.split('|').map((cell) => cell.trim());
}

/** Reads all table rows with the heading above them. Skips headers and rules that are the expected ones. */
function rowsOf(page: string): Row[] {
  const rows: Row[] = [];
  let heading = '';
  for (const [index, line] of page.split('\n').entries()) {
    if (line.startsWith('## ')) heading = line.slice(3).trim();
    if (!line.startsWith('|')) continue;
    const cells = cellsOf(line);
    const isHeader = cells.join() === COLUMNS.join();
    const isRule = cells.every((cell) => /^-+$/.test(cell));
    if (!isHeader && !isRule) rows.push({ line: index + 1, heading, cells });
  }
  return rows;
}

function judgeLanded(where: string, tree: Tree): string[] {
  const paths = [...where.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? '');
  if (paths.length === 0) return ['is landed and names no file'];
  return paths.filter((path) => !tree.isFile(path)).map((path) => `names ${path}, which is no file of the tree`);
}

function judgeOpen(where: string, parts: ReadonlyMap<string, string>): string[] {
  const names = where.split(',').map((name) => name.trim());
  return names
    .filter((name) => !parts.has(name))
    .map((name) => `is open for "${name}", which the page does not define`);
}

function judgeDecided(where: string, tree: Tree): string[] {
  const target = /^\[[^\]]+\]\(([^)#\s]+)#([^)\s]+)\)$/.exec(where);
  if (target === null || join(dirname(PAGE), target[1] ?? '') !== DECISIONS) {
    return [`is decided otherwise and has no link to a heading of ${DECISIONS}`];
  }
  const anchor = target[2] ?? '';
  return tree.anchors.has(anchor) ? [] : [`links to #${anchor}, which ${DECISIONS} does not have`];
}

function judgeRow(row: Row, parts: ReadonlyMap<string, string>, tree: Tree): string[] {
  if (row.cells.length !== COLUMNS.length) return [`has ${row.cells.length} columns, not ${COLUMNS.length}`];
  const [section = '', demand = '', state, where = ''] = row.cells;
  const empty = [section === '' ? ['has no section'] : [], demand === '' ? ['has no demand'] : []].flat();
  if (state === 'landed') return [...empty, ...judgeLanded(where, tree)];
  if (state === 'open') return [...empty, ...judgeOpen(where, parts)];
  if (state === 'decided otherwise') return [...empty, ...judgeDecided(where, tree)];
  return [...empty, `has the unknown state "${state}"`];
}

/** Finds rows that state one demand of one section a second time. */
function repeatsOf(rows: readonly Row[]): string[] {
  const seen = new Set<string>();
  const findings: string[] = [];
  for (const { line, heading, cells } of rows) {
    const key = [heading, cells[0], cells[1]].join(' | ');
    if (seen.has(key)) findings.push(`${PAGE}:${line}: repeats "${cells[1]}"`);
    seen.add(key);
  }
  return findings;
}

/** Finds parts without a sentence, and parts and decisions that no row names. */
function unusedOf(rows: readonly Row[], parts: ReadonlyMap<string, string>, tree: Tree): string[] {
  const named = (state: string) => rows.filter((row) => row.cells[2] === state).map((row) => row.cells[3] ?? '');
  const opened = new Set(named('open').flatMap((where) => where.split(',').map((name) => name.trim())));
  const decided = named('decided otherwise').join(' ');
  return [
    ...[...parts].filter(([, text]) => text === '').map(([name]) => `${PAGE}: part "${name}" has no sentence`),
    ...[...parts.keys()].filter((name) => !opened.has(name)).map((name) => `${PAGE}: no row is open for "${name}"`),
    ...[...tree.anchors]
      .filter((anchor) => !decided.includes(`#${anchor})`))
      .map((anchor) => `${DECISIONS}: no row of ${PAGE} links to #${anchor}`),
  ];
}

/** Finds rows that do not resolve: landed to a file, open to a defined part, decided otherwise to a decision. */
export function judgeCoverage(page: string, tree: Tree, minRows = MIN_ROWS): string[] {
  const rows = rowsOf(page);
  const parts = partsOf(page);
  return [
    ...(rows.length < minRows ? [`${PAGE}: has ${rows.length} rows only`] : []),
    ...rows.flatMap((row) => judgeRow(row, parts, tree).map((finding) => `${PAGE}:${row.line}: ${finding}`)),
    ...repeatsOf(rows),
    ...unusedOf(rows, parts, tree),
  ];
}

/** Lists findings of the project's own page. */
export function checkCoverage(root: string): string[] {
  return judgeCoverage(readFileSync(join(root, PAGE), 'utf8'), {
    isFile: (path) => statSync(join(root, path), { throwIfNoEntry: false })?.isFile() ?? false,
    anchors: anchorsOf(readFileSync(join(root, DECISIONS), 'utf8')),
  });
}
