import { isMap, isPair, LineCounter, parseDocument, type YAMLMap } from 'yaml';
import { z } from 'zod';
import { TO_FILL_IN } from '../domain/commissioning/placeholder.js';

/** Where in a document something is wrong, and what was expected there. */
export interface Fault {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/** A fault with its place in the file: `FILE:LINE: key: what was expected`. */
export interface LocatedFault {
  readonly line: number;
  readonly key: string;
  readonly message: string;
}

export type Located<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly fault: LocatedFault };

/** Every value of a document that is still to be filled in, by its path. */
export function toBeFilledIn(value: unknown, path: readonly PropertyKey[] = []): Fault[] {
  if (typeof value === 'string')
    return value.startsWith(TO_FILL_IN)
      ? [{ path, message: `is to be filled in:${value.slice(TO_FILL_IN.length)}` }]
      : [];
  if (value === null || typeof value !== 'object') return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    toBeFilledIn(inner, [...path, Array.isArray(value) ? Number(key) : key]),
  );
}

const UNKNOWN_KEY = 'unknown key';

/**
 * Reads YAML or JSON by a schema and says of the first fault, in file order, where it is. `cross` finds what one key
 * alone cannot show; it runs only on what the schema accepted.
 */
export function parseLocated<S extends z.ZodType>(
  text: string,
  schema: S,
  cross: (value: z.output<S>) => readonly Fault[],
): Located<z.output<S>> {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const [syntax] = document.errors;
  if (syntax) {
    const what = syntax.message.split('\n')[0]?.replace(/ at line \d+, column \d+:?$/, '') ?? '';
    return { ok: false, fault: { line: lines.linePos(syntax.pos[0]).line, key: 'syntax', message: what } };
  }
  const plain = plainOf(document);
  if (!plain.ok) return { ok: false, fault: { line: 1, key: 'syntax', message: plain.message } };
  const parsed = schema.safeParse(plain.value ?? {});
  const faults = parsed.success ? cross(parsed.data) : parsed.error.issues.map(faultOf);
  const located = faults.map((fault) => ({ fault, line: lineOf(document.contents, fault.path, lines) }));
  // A misspelt key is also a missing one: the misspelling is what helps.
  const rank = (fault: Fault) => (fault.message === UNKNOWN_KEY ? 0 : 1);
  const [first] = located.sort((a, b) => rank(a.fault) - rank(b.fault) || a.line - b.line);
  if (first) {
    const { path, message } = first.fault;
    return { ok: false, fault: { line: first.line, key: keyText(path), message } };
  }
  if (!parsed.success) return { ok: false, fault: { line: 1, key: 'file', message: 'not valid' } };
  return { ok: true, value: parsed.data };
}

/** Aliases that grow without bound are refused by the parser with an exception: here it is a fault like any other. */
function plainOf(document: ReturnType<typeof parseDocument>) {
  try {
    return { ok: true, value: document.toJS() as unknown } as const;
  } catch (error) {
    return { ok: false, message: error instanceof Error ? error.message : String(error) } as const;
  }
}

function faultOf(issue: z.core.$ZodIssue): Fault {
  if (issue.code === 'unrecognized_keys') {
    return { path: [...issue.path, issue.keys[0] ?? ''], message: UNKNOWN_KEY };
  }
  const missing = issue.code === 'invalid_type' && /received undefined/.test(issue.message);
  return { path: issue.path, message: missing ? 'is missing' : issue.message.replace(/^Invalid input: /, '') };
}

function keyText(path: readonly PropertyKey[]): string {
  return path.length === 0 ? 'file' : path.map(String).join('.');
}

/** Line of the key at `path`, or of the nearest thing around it that is there. */
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
  const range = (of: unknown) => (of as { range?: [number, number, number] | null } | null)?.range?.[0];
  if (isMap(node)) {
    const pair = (node as YAMLMap).items.find((item) => isPair(item) && String(item.key) === String(step));
    return pair ? { value: pair.value, offset: range(pair.key) } : null;
  }
  const items = (node as { items?: unknown[] } | null)?.items;
  const value = Array.isArray(items) && typeof step === 'number' ? items[step] : undefined;
  return value === undefined ? null : { value, offset: range(value) };
}

/** A document as it is, where only its syntax counts and it must be a map. */
export function parsePlain(text: string): Located<Record<string, unknown>> {
  return parseLocated(text, z.record(z.string(), z.unknown()), () => []);
}
