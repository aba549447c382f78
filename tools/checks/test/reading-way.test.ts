import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkReadingWay, judgeReadingWay } from '../src/reading-way.js';
import { projectRoot } from '../src/root.js';

const paths = Array.from({ length: 12 }, (_, i) => `edge/src/${i}.ts`);
const pageOf = (items: readonly string[]) => {
  const list = items.map((item, i) => `${i + 1}. ${item}`).join('\n');
  return `# A\n\n1. no file here\n\n### File by file\n\n${list}\n\n## Rooms\n\n1. none here either\n`;
};
const itemsOf = (list: readonly string[]) => list.map((path) => `\`${path}\` does something.`);
const isThere = (path: string) => paths.includes(path);

describe('the list of a reading’s way', () => {
  it('passes when it names existing files, each once (control)', () => {
    expect(judgeReadingWay(pageOf(itemsOf(paths)), isThere)).toEqual([]);
    expect(checkReadingWay(projectRoot)).toEqual([]);
  });

  it.each<[string, readonly string[], RegExp]>([
    ['a file twice', itemsOf([...paths, 'edge/src/3.ts']), /passes edge\/src\/3\.ts twice/],
    ['a file that is not there', itemsOf([...paths, 'edge/src/gone.ts']), /gone\.ts, which is not there/],
    ['an item without a file', [...itemsOf(paths), 'The oracle does it.'], /does not begin with a file/],
    ['a list that lost its items', itemsOf(paths.slice(0, 3)), /names 3 files only/],
  ])('refuses %s', (_name, items, expected) => {
    const findings = judgeReadingWay(pageOf(items), isThere);
    expect(findings).toHaveLength(1);
    expect(findings[0]).toMatch(expected);
  });

  it('refuses a page without the list', () => {
    const page = readFileSync(join(projectRoot, 'docs/architecture.md'), 'utf8');
    expect(judgeReadingWay(page.replace('### File by file', '### Files'), () => true)).toHaveLength(1);
  });
});
