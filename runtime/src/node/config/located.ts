import { isMap, isPair, isSeq, LineCounter, parseDocument, type YAMLError, type YAMLMap } from 'yaml';
import { z } from 'zod';
import { TO_FILL_IN } from '../../core/placeholder.js';

/** The place of a fault in a document, the expectation there, and advice unless it is plain. */
export interface Fault {
  readonly path: readonly PropertyKey[];
  readonly message: string;
  readonly advice?: string;
  /** Stable word, for programs. */
  readonly code?: string;
}

/** A fault with its place in the file. */
export interface LocatedFault {
  readonly code: string;
  /** From 1 on. */
  readonly line: number;
  /** Dotted path of the key: `buses.0.name`; `file` for the whole document. */
  readonly key: string;
  readonly message: string;
  readonly advice: string;
}

export type Located<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly fault: LocatedFault };

/** Bounds a configuration, in characters: thousands of meters need less. */
export const MAX_CHARS = 4_194_304;
/** An editor may write UTF-16; without its mark it reads as text full of zero bytes. */
export const NO_UTF8 = { code: 'encoding', problem: 'is no text in UTF-8', advice: 'save it as UTF-8' } as const;
const UNKNOWN = 'unknown-key';
const WHOLE_FILE = 'file';

/**
 * Reads YAML or JSON by a schema. Reports the first fault, in file order, with its place. A misspelt key precedes all others:
 * it is also a missing key, and the misspelling helps more. `cross` finds faults that involve several keys; it runs only on a
 * document that the schema accepted. Never throws for a text.
 */
export function parseLocated<S extends z.ZodType>(
  text: string,
  schema: S,
  cross: (value: z.output<S>) => readonly Fault[] = () => [],
): Located<z.output<S>> {
  if (text.length > MAX_CHARS) return failed('too-large', 1, WHOLE_FILE, `is longer than ${MAX_CHARS} characters`, '');
  if (text.includes('\0')) return failed(NO_UTF8.code, 1, WHOLE_FILE, NO_UTF8.problem, NO_UTF8.advice);
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const [syntax] = document.errors;
  if (syntax) return { ok: false, fault: syntaxFault(syntax, text, lines) };
  if (document.contents === null) {
    return failed('empty', 1, WHOLE_FILE, 'is empty', 'write the configuration into it');
  }
  const plain = plainOf(document);
  if (!plain.ok) {
    const advice = 'write the values out in place of the aliases';
    return failed('aliases', 1, 'syntax', 'its aliases grow without bound, hold themselves, or name no anchor', advice);
  }
  // This check is first, since a placeholder has no form that a schema would accept.
  const places = toBeFilledIn(plain.value);
  const parsed = schema.safeParse(plain.value);
  const found = parsed.success ? cross(parsed.data) : parsed.error.issues.map(faultOf);
  const first = firstOf(places.length > 0 ? places : found, document.contents, lines);
  if (first) return { ok: false, fault: first };
  return parsed.success ? { ok: true, value: parsed.data } : failed('invalid', 1, WHOLE_FILE, 'is not valid', '');
}

/** Reads any document that is a map. Only its syntax is checked. */
export function parsePlain(text: string): Located<Record<string, unknown>> {
  return parseLocated(text, z.record(z.string(), z.unknown()));
}

/** Returns every placeholder of a document, by its path. */
export function toBeFilledIn(value: unknown, path: readonly PropertyKey[] = []): Fault[] {
  if (typeof value === 'string') {
    if (!value.startsWith(TO_FILL_IN)) return [];
    const message = `is to be filled in:${value.slice(TO_FILL_IN.length)}`;
    return [{ path, message, code: 'to-be-filled-in', advice: '' }];
  }
  if (value === null || typeof value !== 'object') return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    toBeFilledIn(inner, [...path, Array.isArray(value) ? Number(key) : key]),
  );
}

const failed = (code: string, line: number, key: string, message: string, advice: string) =>
  ({ ok: false, fault: { code, line, key, message, advice } }) as const;

/** Returns a fault of the text itself in one line. The library's own message has columns and the line's text. */
function syntaxFault(error: YAMLError, text: string, lines: LineCounter): LocatedFault {
  const [offset] = error.pos;
  const { line } = lines.linePos(offset);
  if (error.code === 'DUPLICATE_KEY') {
    const key = /^["']?([\w.-]{1,64})/.exec(text.slice(offset))?.[1] ?? 'syntax';
    return { code: 'key-twice', line, key, message: 'is there twice', advice: 'keep one of them' };
  }
  if (error.code === 'TAB_AS_INDENT') {
    const message = 'a tab cannot indent a line in YAML';
    return { code: 'syntax', line, key: 'syntax', message, advice: 'indent with spaces' };
  }
  if (/call stack/i.test(error.message)) {
    const message = 'is nested too deeply';
    return { code: 'syntax', line: 1, key: 'syntax', message, advice: 'this is no file of ours: name the right one' };
  }
  const message = error.message.split('\n')[0]?.replace(/ at line \d+, column \d+:?$/, '') ?? '';
  return { code: 'syntax', line, key: 'syntax', message, advice: 'correct the line, or the one before it' };
}

/** Returns the plain values. The library throws for aliases that grow without bound; here that is a fault like any other. */
function plainOf(document: ReturnType<typeof parseDocument>) {
  try {
    const value: unknown = document.toJS();
    return holdsItself(value) ? ({ ok: false } as const) : ({ ok: true, value } as const);
  } catch {
    return { ok: false } as const;
  }
}

/** Returns true for a value that contains itself through an alias: a walk through it would never end. */
function holdsItself(value: unknown, around: ReadonlySet<unknown> = new Set()): boolean {
  if (value === null || typeof value !== 'object') return false;
  if (around.has(value)) return true;
  const within = new Set(around).add(value);
  return Object.values(value).some((inner) => holdsItself(inner, within));
}

function faultOf(issue: z.core.$ZodIssue): Fault {
  if (issue.code === 'unrecognized_keys') {
    const path = [...issue.path, issue.keys[0] ?? ''];
    return { path, message: 'unknown key', code: UNKNOWN, advice: 'correct its spelling, or take it out' };
  }
  if (issue.code === 'invalid_type' && /received undefined/.test(issue.message)) {
    return { path: issue.path, message: 'is missing', code: 'missing-key', advice: 'add it' };
  }
  return { path: issue.path, message: issue.message.replace(/^(Invalid (input|option)|Too (small|big)): /, '') };
}

function firstOf(faults: readonly Fault[], root: unknown, lines: LineCounter): LocatedFault | undefined {
  const located = faults.map((fault) => ({ fault, line: lineOf(root, fault.path, lines) }));
  const rank = ({ code }: Fault) => (code === UNKNOWN ? 0 : 1);
  const [first] = located.sort((a, b) => rank(a.fault) - rank(b.fault) || a.line - b.line);
  if (!first) return undefined;
  const { path, message, code = 'invalid', advice = 'correct it' } = first.fault;
  const key = path.length === 0 ? WHOLE_FILE : path.map(String).join('.');
  return { code, line: first.line, key, message, advice };
}

/** Returns the line of the key at `path`, or of the nearest existing value around it. */
function lineOf(root: unknown, path: readonly PropertyKey[], lines: LineCounter): number {
  let node: unknown = root;
  let line = 1;
  for (const step of path) {
    const found = stepInto(node, step);
    if (!found) break;
    if (found.offset !== undefined) line = lines.linePos(found.offset).line;
    node = found.value;
  }
  return line;
}

function stepInto(node: unknown, step: PropertyKey): { value: unknown; offset: number | undefined } | null {
  const offsetOf = (of: unknown) => (of as { range?: [number, number, number] | null } | null)?.range?.[0];
  if (isMap(node)) {
    const pair = (node as YAMLMap).items.find((item) => isPair(item) && String(item.key) === String(step));
    return pair ? { value: pair.value, offset: offsetOf(pair.key) } : null;
  }
  const value = isSeq(node) && typeof step === 'number' ? node.items[step] : undefined;
  return value === undefined ? null : { value, offset: offsetOf(value) };
}
