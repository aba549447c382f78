import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { checkCitations, commentsOf, judgeCitations, judgePaths, sectionsOf } from '../src/citations.js';
import { projectRoot } from '../src/root.js';

const specs = new Map([['wire', new Set(['4', '4.2'])]]);
const folders = ['docs', 'edge'];
const exists = (path: string) => ['edge/src/main.ts', 'docs/specs', 'docs/a.md', 'edge/profiles'].includes(path);

const temporary: string[] = [];
afterEach(() => {
  for (const folder of temporary.splice(0)) rmSync(folder, { recursive: true });
});

/** Creates a project from these files. */
function project(files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(tmpdir(), 'gtx-citations-'));
  temporary.push(root);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
}

describe('the check of citations', () => {
  it('takes those of a section that is there, and no other', () => {
    const text =
      '// [wire §4.2] and [wire §4], not [wire §4.3]\n// nor [market §1] or [wire §N]\n// [a link](docs/a.md)';
    expect(judgeCitations('a.ts', text, specs)).toEqual([
      'a.ts:1: [wire §4.3]: that specification has no section 4.3',
      'a.ts:2: [market §1]: there is no specification "market" in docs/specs',
      'a.ts:2: [wire §N]: that specification has no section N',
    ]);
    const broken = ' * a rule [wire\n * §4.2], and one that is none [wire\n//! §5]';
    expect(judgeCitations('a.rs', broken, specs)).toEqual(['a.rs:2: [wire §5]: that specification has no section 5']);
  });

  it('knows the numbered headings of a page, and none in a fenced block', () => {
    const page =
      '# Page\n## 4 Payload\n### 4.2 Reading\n#### 4.2.1 Time\n## Without a number\n```\n## 9 No heading\n```\n';
    expect(sectionsOf(page)).toEqual(['4', '4.2', '4.2.1']);
  });

  it('looks at comments only, at their places', () => {
    const script =
      'const a = \'// no\'; // one\nconst b = /`\\/\\/ no/.test(`/* no */`);\n/* two\n three */ const c = "http://x";';
    const found = commentsOf('a.mjs', script);
    expect(found.split('\n').map((line) => line.trim())).toEqual(['// one', '', '/* two', 'three */']);
    expect(found).toHaveLength(script.length);
    const rust = 'fn f<\'a>(x: &\'a str) -> char { \'"\' } // one\n//! two "x"\nlet s = "// no";';
    expect(commentsOf('a.rs', rust.replace("'\"'", "'x'")).split('\n')[1]).toBe('//! two "x"');
    expect(commentsOf('a.rs', rust.replace("'\"'", "'x'"))).not.toContain('no');
    expect(commentsOf('a.md', 'all of it')).toBe('all of it');
  });

  it('finds a path that is not there', () => {
    const text =
      'edge/src/main.ts, edge/src/gone.ts.\n(docs/specs/) or docs/b.md; a.md, gone.md\n../profiles ../nowhere.ts';
    expect(judgePaths('edge/src/x.ts', text, folders, exists)).toEqual([
      'edge/src/x.ts:1: names edge/src/gone.ts, which is not there',
      'edge/src/x.ts:2: names docs/b.md, which is not there',
      'edge/src/x.ts:2: names a.md, which is not there',
      'edge/src/x.ts:2: names gone.md, which is not there',
      'edge/src/x.ts:3: names ../nowhere.ts, which is not there',
    ]);
  });

  it('takes a path from the file, or from any folder above it', () => {
    expect(judgePaths('edge/src/x.ts', 'src/main.ts and main.ts, ./main.ts', folders, exists)).toEqual([]);
    expect(judgePaths('docs/x.md', 'a.md', folders, exists)).toEqual([]);
  });

  it('takes no address, topic, pattern, placeholder or build for a path', () => {
    const text =
      'https://example.com/docs/gone.md gtx/v1/live/x edge/src/*.ts docs/{a,b}.md edge/dist/main.js docs/NAME.md state/floor.json';
    expect(judgePaths('a.ts', text, folders, exists)).toEqual([]);
  });

  it('judges sources, scripts and documents of a whole project', () => {
    const page = '# Wire format\n## 1 One\n## 2 Two\n## 2 Twice\n';
    const root = project({
      'docs/specs/wire-format.md': `${page}See [wire §1].\n`,
      'edge/a.ts': '/** [wire §3] */\n',
      'edge/b.rs': '//! [wire §2], docs/gone.md\n',
      'edge/c.mjs': "// [wire §2]\nconst a = '[wire §7]';\n",
      'edge/dist/d.ts': '// [wire §8]\n',
    });
    expect(checkCitations(root)).toEqual([
      'docs/specs/wire-format.md: two sections are numbered 2',
      'edge/a.ts:1: [wire §3]: that specification has no section 3',
      'edge/b.rs:1: names docs/gone.md, which is not there',
    ]);
  });

  it('finds nothing in this project', () => {
    expect(checkCitations(projectRoot)).toEqual([]);
  });
});
