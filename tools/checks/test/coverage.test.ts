import { describe, expect, it } from 'vitest';
import { anchorOf, anchorsOf, checkCoverage, judgeCoverage, type Tree } from '../src/coverage.js';
import { projectRoot } from '../src/root.js';

const LANDED = '| 1.1 | A token for each kWh | landed | `programs/mint.rs` |';
const OPEN = '| 1.2 | Homes trade | open | trading service |';
const DECIDED = '| 1.3 | Redis | decided otherwise | [No Redis](decisions/0013-scope.md#no-redis) |';

const pageOf = (rows: readonly string[], parts = '- **trading service**: Matching and bills.\n') =>
  [
    '# Coverage\n\n## Later parts\n',
    parts,
    '## Overview\n',
    '| section | demand | state | where |\n|---|---|---|---|',
    rows.join('\n'),
    '',
  ].join('\n');
const tree: Tree = { isFile: (path) => path === 'programs/mint.rs', anchors: new Set(['no-redis']) };
const judge = (rows: readonly string[], parts?: string) => judgeCoverage(pageOf(rows, parts), tree, 3);

describe('the coverage of the requirements', () => {
  it('passes when each row resolves (control)', () => {
    expect(judge([LANDED, OPEN, DECIDED])).toEqual([]);
  });

  it('holds for the project', () => {
    expect(checkCoverage(projectRoot)).toEqual([]);
  });

  it.each<[string, string, string]>([
    ['an unknown state', '| 2 | Votes | planned | trading service |', 'unknown state "planned"'],
    ['a state in another case', '| 2 | Votes | Open | trading service |', 'unknown state "Open"'],
    ['no state', '| 2 | Votes |  | trading service |', 'unknown state ""'],
    ['a path that is not there', '| 2 | Mint | landed | `programs/gone.rs` |', 'names programs/gone.rs, which is no'],
    ['one path of two that is not there', '| 2 | Mint | landed | `programs/mint.rs`, `a.ts` |', 'names a.ts'],
    ['a landed row without a path', '| 2 | Mint | landed | programs/mint.rs |', 'names no file'],
    ['a part that the page does not define', '| 2 | Votes | open | governance |', 'open for "governance"'],
    ['an open row without a part', '| 2 | Votes | open |  |', 'open for ""'],
    ['one part of two that the page does not define', '| 2 | Votes | open | trading service, x |', 'open for "x"'],
    ['a decided row without a link', '| 2 | Cache | decided otherwise | No Redis |', 'has no link'],
    ['a link without an anchor', '| 2 | Cache | decided otherwise | [a](decisions/0013-scope.md) |', 'has no link'],
    ['a link to another page', '| 2 | Cache | decided otherwise | [a](testing.md#no-redis) |', 'has no link'],
    [
      'an anchor that does not resolve',
      '| 2 | Cache | decided otherwise | [a](decisions/0013-scope.md#redis) |',
      'links to #redis, which',
    ],
    ['an empty demand', '| 2 |  | open | trading service |', 'has no demand'],
    ['an empty section', '|  | Votes | open | trading service |', 'has no section'],
    ['a row with a column too many', '| 2 | Votes | open | trading service | later |', 'has 5 columns'],
    ['a demand that stands twice', '| 1.2 | Homes trade | open | trading service |', 'repeats "Homes trade"'],
  ])('refuses %s', (_name, row, expected) => {
    const findings = judge([LANDED, OPEN, DECIDED, row]);
    expect(findings).toHaveLength(1);
    expect(findings[0]).toContain(expected);
    expect(findings[0]).toContain('docs/coverage.md:14:');
  });

  it('refuses a page that lost its rows', () => {
    expect(judgeCoverage(pageOf([LANDED, OPEN, DECIDED]), tree)).toEqual(['docs/coverage.md: has 3 rows only']);
  });

  it('refuses parts and decisions that no row names, and a part without a sentence', () => {
    const parts = '- **trading service**: Matching and bills.\n- **scale**:\n';
    expect(judgeCoverage(pageOf([LANDED, OPEN], parts), tree, 2)).toEqual([
      'docs/coverage.md: part "scale" has no sentence',
      'docs/coverage.md: no row is open for "scale"',
      'docs/decisions/0013-scope.md: no row of docs/coverage.md links to #no-redis',
    ]);
  });

  it('names anchors as GitHub does', () => {
    expect(anchorOf("Pinocchio with Anchor's IDL")).toBe('pinocchio-with-anchors-idl');
    expect(anchorOf('SHA-256 and Ed25519')).toBe('sha-256-and-ed25519');
    expect([...anchorsOf('# 1. Title\n\n## No Redis\n\n### Detail\n\nText ## no heading\n')]).toEqual(['no-redis']);
  });
});
