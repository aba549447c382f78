import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from '@gridtokenx/runtime/node';
import { describe, expect, test } from 'vitest';
import { declareCommands } from '../src/cli/main.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const program = new Command('gridtokenx-gateway');
declareCommands(program);
const gateway = new Set(program.commands.map((command) => command.name()));
const oracle = new Set([...read('oracle/src/cli/main.ts').matchAll(/\bcommand\('([a-z-]+)/g)].map(([, name]) => name));

/** Texts that quote words which are no commands: keys of a profile, and a page's tags. */
const OTHER_WORDS = ['edge/src/profiles/key-texts.ts', 'edge/src/adapters/http/page.ts'];
const LITERAL = /'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`/g;
/** A word in backticks or quotes inside a text, and a word behind the program's name. A key of JSON is none. */
const MENTION = /\\?[`"]([a-z][a-z-]{2,})\\?[`"](?!:)|gridtokenx-gateway ([a-z][a-z-]+)/g;

interface Mention {
  readonly file: string;
  readonly word: string;
}

const mentionsIn = (file: string, text: string): Mention[] =>
  [...text.matchAll(MENTION)].map(([, quoted, called]) => ({ file, word: quoted ?? called ?? '' }));

function mentionsInCode(file: string, source: string): Mention[] {
  const code = source.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
  return [...code.matchAll(LITERAL)].flatMap(([text]) => mentionsIn(file, text.slice(1, -1)));
}

const sources = readdirSync(join(root, 'edge/src'), { recursive: true, encoding: 'utf8' })
  .map((name) => `edge/src/${name}`)
  .filter((name) => name.endsWith('.ts') && !OTHER_WORDS.includes(name));

describe('a text names only commands that exist', () => {
  test('in the code of the gateway', () => {
    const mentions = sources.flatMap((file) => mentionsInCode(file, read(file)));
    expect(mentions.filter(({ word }) => !gateway.has(word))).toEqual([]);
    // The control: the texts do name commands.
    expect(new Set(mentions.map(({ word }) => word))).toContain('enrol');
    expect(mentions.length).toBeGreaterThanOrEqual(6);
  });

  test.each(['docs/health.md', 'docs/doctor.md'])('in the tables of %s', (file) => {
    const rows = read(file)
      .split('\n')
      .filter((line) => line.startsWith('| '));
    const mentions = rows.flatMap((row) => mentionsIn(file, row));
    expect(mentions.filter(({ word }) => !gateway.has(word) && !oracle.has(word))).toEqual([]);
    expect(mentions.length).toBeGreaterThan(0);
  });

  test('in the documents, where one is called', () => {
    const files = ['README.md', 'edge/README.md', ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`)];
    const called = files
      .filter((name) => name.endsWith('.md'))
      .flatMap((file) =>
        [...read(file).matchAll(/gridtokenx-gateway ([a-z][a-z-]+)/g)].map(([, word]) => ({ file, word })),
      );
    expect(called.filter(({ word }) => !gateway.has(word ?? ''))).toEqual([]);
    expect(called.length).toBeGreaterThanOrEqual(10);
  });

  test('control: a command that there is not is noticed, in backticks, quotes and a call', () => {
    const source =
      "const a = 'run \"replace-meter\"'; const b = `see \\`replace-all\\``; const c = 'gridtokenx-gateway fix it';";
    expect(mentionsInCode('x.ts', source).map(({ word }) => word)).toEqual(['replace-meter', 'replace-all', 'fix']);
  });
});
