import { describe, expect, test } from 'vitest';
import { firstCells, judgeNames, judgeProse, readProseRules, sentencesOf } from '../src/prose.js';
import { projectRoot } from '../src/root.js';

const participles = ['looked at', 'given up'];
const findings = (file: string, text: string) => judgeProse(file, text, participles).findings;

describe('comments', () => {
  test.each([
    ['a line', '// What is read.\nconst a = 1;', 'a.ts:1: begins with "What is read."'],
    ['a block', 'const a = 1;\n/** Whether it is there. */\n', 'a.ts:2: begins with "Whether it is'],
    [
      'a passive over two lines',
      '/**\n * The file is looked\n * at once.\n */',
      'a.ts:1: "is looked at" hides who acts',
    ],
    ['a passive with an adverb', '// It is never given up.', 'a.ts:1: "is never given up" hides who acts'],
  ])('%s is found', (_name, text, expected) => {
    expect(findings('a.ts', text)).toEqual([expect.stringContaining(expected)]);
  });

  test.each([
    ['a question', '// What is read?'],
    ['a string', "const a = '// What is read.';"],
    ['a word that only begins like one', '// Whatsoever.'],
    ['an active verb', '/** Looks at the file and gives up. */'],
  ])('%s is none', (_name, text) => {
    expect(findings('a.ts', text)).toEqual([]);
  });

  test('lines of Rust count, too', () => {
    expect(findings('a.rs', "/// What is minted.\nfn a<'x>() {}")).toHaveLength(1);
  });
});

describe('documents', () => {
  test('paragraphs, list entries and cells are judged apart; code is not', () => {
    const page = '# What stays\n\nWhat it is.\n\n- What one is\n\n| a | What a cell is |\n\n```\nWhat code is.\n```\n';
    expect(findings('a.md', page).map((line) => line.split(':')[1])).toEqual(['3', '5', '7']);
  });

  test('long sentences are counted, and fail nothing', () => {
    const long = `${'word '.repeat(26)}end.`;
    expect(judgeProse('a.md', `${long} Short. ${long}\n`, participles)).toEqual({ findings: [], longSentences: 2 });
    expect(sentencesOf('One. `a. b` is two; and on: yes! Three')).toEqual(['One.', 'x is two; and on: yes!', 'Three']);
  });
});

describe('retired names', () => {
  const retired = ['Lane', 'MOST_…', 'pause()', '#o'];
  test.each([
    ['a class', 'class Lane {}'],
    ['a constant', 'const MOST_BYTES = 1;'],
    ['a function', 'await pause(3);'],
    ['a private field', 'this.#o.log;'],
    ['a spread', 'f(...Lane);'],
  ])('%s is found', (_name, text) => {
    expect(judgeNames('a.ts', text, retired)).toHaveLength(1);
  });

  test.each([
    ['a comment', '// Lane'],
    ['a string', "const a = 'Lane';"],
    ['a longer name', 'class PlaneLanes {}'],
    ["a library's method", 'socket.pause();'],
    ['a document', 'Lane'],
  ])('%s is none', (name, text) => {
    expect(judgeNames(name === 'a document' ? 'a.md' : 'a.ts', text, retired)).toEqual([]);
  });
});

test('the rules stand in the tables of the two pages', () => {
  const rules = readProseRules(projectRoot);
  expect(rules.participles).toContain('looked at');
  expect(rules.retired).toContain('MOST_…');
  expect(firstCells('## A\n\n| old | new |\n|---|---|\n| `x` | y |\n\n## B\n| z | y |\n', 'A')).toEqual(['x']);
});
