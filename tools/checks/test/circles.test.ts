import { describe, expect, it } from 'vitest';
import { checkCircles, circlesOf, judgeCircles } from '../src/circles.js';
import { projectRoot } from '../src/root.js';

const SRC = 'tools/x/src';
const use = (file: string, specifier: string) => ({ file: `${SRC}/${file}`, specifier });

describe('the check of circles between folders', () => {
  it('finds two folders that import each other, with both imports', () => {
    const uses = [use('a/one.ts', '../b/two.js'), use('b/deep/three.ts', '../../a/one.js')];
    const [circle, ...more] = circlesOf(SRC, uses);
    expect(circle).toEqual({ folders: ['a', 'b'], imports: uses });
    expect(more).toEqual([]);
    expect(judgeCircles(SRC, circlesOf(SRC, uses), false)).toEqual([
      'tools/x/src: the folders a, b import each other: tools/x/src/a/one.ts imports ../b/two.js, ' +
        'tools/x/src/b/deep/three.ts imports ../../a/one.js',
    ]);
  });

  it('finds a ring of three folders', () => {
    const uses = [use('a/a.ts', '../b/b.js'), use('b/b.ts', '../c/c.js'), use('c/c.ts', '../a/a.js')];
    expect(circlesOf(SRC, uses).map(({ folders }) => folders)).toEqual([['a', 'b', 'c']]);
  });

  it('finds none where imports point one way, within a folder, to files of src, or to packages (control)', () => {
    const uses = [
      ...[use('a/a.ts', '../b/b.js'), use('a/b.ts', './a.js'), use('a/a.ts', './b.js')],
      ...[use('b/b.ts', '../root.js'), use('root.ts', './b/b.js'), use('b/b.ts', '@gridtokenx/a')],
      ...[use('b/b.ts', '../../../y/src/a/a.js')],
    ];
    expect(circlesOf(SRC, uses)).toEqual([]);
  });

  it('lets a known one pass, and asks to take it from the list when it is mended', () => {
    const [circle] = circlesOf(SRC, [use('a/a.ts', '../b/b.js'), use('b/b.ts', '../a/a.js')]);
    if (!circle) throw new Error('no circle');
    expect(judgeCircles(SRC, [circle], true)).toEqual([]);
    expect(judgeCircles(SRC, [], true)).toEqual([`${SRC}: has no circle any more: take it from KNOWN_CIRCLES`]);
  });

  it('finds none in tools (control: it reads the sources)', () => {
    expect(checkCircles(projectRoot, ['tools/devnet', 'tools/audit', 'tools/submit', 'tools/checks'], {})).toEqual([]);
    expect(checkCircles(projectRoot, ['tools/devnet'], { 'tools/devnet/src': 'nothing' })).toHaveLength(1);
  });
});
