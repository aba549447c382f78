import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const PAGE = 'docs/architecture.md';
const HEADING = '### File by file';
const ITEM = /^\d+\. (.*)$/gm;
const PATH_FIRST = /^`([\w./-]+)` \S/;
/** A reading passes more files than this from register to mint: a list that lost its items must not pass. */
const MIN_FILES = 10;

/** Finds problems of the list of a reading's path: an item without a file, with a missing file, or repeated. */
export function judgeReadingWay(page: string, exists: (path: string) => boolean): string[] {
  const [, after] = page.split(`\n${HEADING}\n`);
  if (after === undefined) return [`${PAGE}: has no "${HEADING}"`];
  const [section = ''] = after.split(/^#{2,3} /m);
  const items = [...section.matchAll(ITEM)].map((match) => match[1] ?? '');
  const findings = items.length < MIN_FILES ? [`${PAGE}: the way of a reading names ${items.length} files only`] : [];
  const seen = new Set<string>();
  for (const item of items) {
    const path = PATH_FIRST.exec(item)?.[1];
    if (path === undefined) findings.push(`${PAGE}: the way of a reading: "${item}" does not begin with a file`);
    else if (seen.has(path)) findings.push(`${PAGE}: the way of a reading passes ${path} twice`);
    else if (!exists(path)) findings.push(`${PAGE}: the way of a reading names ${path}, which is not there`);
    if (path !== undefined) seen.add(path);
  }
  return findings;
}

/** Lists findings of the project's own list. */
export function checkReadingWay(root: string): string[] {
  return judgeReadingWay(readFileSync(join(root, PAGE), 'utf8'), (path) => existsSync(join(root, path)));
}
