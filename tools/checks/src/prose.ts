import { readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { blank, codeOf, commentsOf, FENCED, filesOf } from './citations.js';

/** Findings of the rules for sentences (docs/style.md); `longSentences` is reported and fails nothing. */
export interface Prose {
  readonly findings: readonly string[];
  readonly longSentences: number;
}

/** Rules as the documents state them. */
export interface ProseRules {
  /** Participles that no form of "be" may precede. */
  readonly participles: readonly string[];
  /** Names that the glossary retired. */
  readonly retired: readonly string[];
}

/** One comment block, paragraph or table cell: its text on one line, and the line of the file where it begins. */
interface Passage {
  readonly text: string;
  readonly line: number;
}

const MAX_WORDS = 25;
const OPENING = /^(?:What|Whether|Whatever)\b/;
/** A generated file repeats its source's words; the style page and the glossary show what to avoid. */
const EXEMPT = /\/generated\/|^docs\/(?:style|glossary)\.md$/;

/** Returns the first cells of a document's table below the heading `heading`, without back-ticks. */
export function firstCells(page: string, heading: string): string[] {
  const [, section = ''] = page.split(new RegExp(`^## ${heading}$`, 'm'));
  const [own = ''] = section.split(/^## /m);
  const rows = [...own.matchAll(/^\| ([^|]+?) \|/gm)].map((match) => (match[1] ?? '').replaceAll('`', ''));
  return rows.slice(1);
}

/** Splits a source's comments into blocks: lines that follow each other are one block. */
function commentBlocks(comments: string): Passage[] {
  const blocks: { text: string[]; line: number }[] = [];
  let open = false;
  for (const [i, line] of comments.split('\n').entries()) {
    const isStart = /^\s*(?:\/\*|\/\/)/.test(line);
    const text = line.replace(/^\s*(?:\/\*\*?|\*\/|\*(?!\/)|\/\/[/!]?)\s?/, '').replace(/\*\/\s*$/, '');
    if (line.trim() === '') open = false;
    else if (open && !/^\s*\/\*/.test(line)) blocks.at(-1)?.text.push(text.trim());
    else blocks.push({ text: [isStart ? text.trim() : line.replace(/^.*?\/[/*]+\s?/, '').trim()], line: i + 1 });
    if (line.trim() !== '') open = !/\*\/\s*$/.test(line);
  }
  return blocks.map(({ text, line }) => ({ text: text.join(' ').trim(), line }));
}

/** Splits a document into paragraphs, list entries and table cells. Ignores code blocks and headings. */
function paragraphs(page: string): Passage[] {
  const found: { text: string; line: number }[] = [];
  let open = false;
  for (const [i, line] of page.replace(FENCED, blank).split('\n').entries()) {
    const trimmed = line.trim();
    if (trimmed === '' || trimmed.startsWith('#')) open = false;
    else if (trimmed.startsWith('|')) {
      open = false;
      for (const cell of trimmed.split('|')) found.push({ text: cell.trim(), line: i + 1 });
    } else if (open && !/^(?:[-*]|\d+\.) /.test(trimmed)) {
      const last = found.at(-1);
      if (last) last.text += ` ${trimmed}`;
    } else {
      found.push({ text: trimmed.replace(/^(?:[-*]|\d+\.) /, ''), line: i + 1 });
      open = true;
    }
  }
  return found;
}

/** Returns the sentences of a passage. A colon or a semicolon ends no sentence. */
export function sentencesOf(text: string): string[] {
  return text
    .replaceAll(/`[^`]*`/g, 'x')
    .split(/(?<=[.!?])\s+/)
    .filter((sentence) => sentence !== '');
}

const wordsOf = (sentence: string): number => sentence.match(/[A-Za-z0-9'’-]+/g)?.length ?? 0;

/** Judges the prose of one source or document. */
export function judgeProse(file: string, text: string, participles: readonly string[]): Prose {
  const passages = extname(file) === '.md' ? paragraphs(text) : commentBlocks(commentsOf(file, text));
  const passive = new RegExp(
    `\\b(?:is|are|was|were|be|been|being)\\s+(?:(?:\\w+ly|not|never|then|only|also|still|again)\\s+)?(${participles.join('|')})\\b`,
    'gi',
  );
  const findings: string[] = [];
  let longSentences = 0;
  for (const passage of passages) {
    const at = `${file}:${passage.line}`;
    // A question in a table of questions is a question.
    const isQuestion = passage.text.endsWith('?');
    if (OPENING.test(passage.text) && !isQuestion) {
      findings.push(`${at}: begins with "${passage.text.slice(0, 20)}": begin with a verb and its object`);
    }
    for (const match of passage.text.matchAll(passive)) {
      findings.push(`${at}: "${match[0]}" hides who acts: see docs/style.md`);
    }
    longSentences += sentencesOf(passage.text).filter((sentence) => wordsOf(sentence) > MAX_WORDS).length;
  }
  return { findings, longSentences };
}

/** Finds names that the glossary retired in the code of a source. A method of a library (`socket.pause()`) is none. */
export function judgeNames(file: string, text: string, retired: readonly string[]): string[] {
  if (retired.length === 0) return [];
  const escaped = retired.map((name) =>
    name.replace(/[$#]/g, '\\$&').replace(/…/g, '[A-Z0-9_]+').replace('()', '(?= ?\\()'),
  );
  const pattern = new RegExp(`(?:(?<![\\w#.$])|(?<=\\.\\.\\.))(?:${escaped.join('|')})(?!\\w)|(?<=\\.)#o\\b`, 'g');
  return [...codeOf(file, text).matchAll(pattern)].map((match) => {
    const line = text.slice(0, match.index).split('\n').length;
    return `${file}:${line}: "${match[0]}" is a retired name: see docs/glossary.md`;
  });
}

/** Reads the rules from the two pages that state them. Throws where a page or its table is missing. */
export function readProseRules(root: string): ProseRules {
  const style = readFileSync(join(root, 'docs/style.md'), 'utf8');
  const glossary = readFileSync(join(root, 'docs/glossary.md'), 'utf8');
  const participles = firstCells(style, 'Phrasal passives that the check refuses');
  const retired = firstCells(glossary, 'Retired names');
  if (participles.length === 0) throw new Error('docs/style.md has no table of phrasal passives');
  if (retired.length === 0) throw new Error('docs/glossary.md has no table of retired names');
  return { participles, retired };
}

/** Finds sentences and names of a project that break the rules of docs/style.md. */
export function checkProse(root: string): Prose {
  const { participles, retired } = readProseRules(root);
  const findings: string[] = [];
  let longSentences = 0;
  for (const file of filesOf(root)) {
    if (EXEMPT.test(file)) continue;
    const text = readFileSync(join(root, file), 'utf8');
    const prose = judgeProse(file, text, participles);
    findings.push(...prose.findings, ...judgeNames(file, text, retired));
    longSentences += prose.longSentences;
  }
  return { findings, longSentences };
}
