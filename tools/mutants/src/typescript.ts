import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Instrumenter } from '@stryker-mutator/instrumenter';
import { type NodePath, shouldIgnore } from './ignored.js';
import { type Mutant, mutantOf } from './mutant.js';

type Options = Parameters<Instrumenter['instrument']>[1];
type Logger = ConstructorParameters<typeof Instrumenter>[0];
type ApiMutant = Awaited<ReturnType<Instrumenter['instrument']>>['mutants'][number];

const never = () => false;
const nothing = () => {};
const silent: Logger = {
  ...{ isTraceEnabled: never, isDebugEnabled: never, isInfoEnabled: never },
  ...{ isWarnEnabled: never, isErrorEnabled: never, isFatalEnabled: never },
  ...{ trace: nothing, debug: nothing, info: nothing, warn: nothing, error: nothing, fatal: nothing },
};
const options: Options = {
  plugins: null,
  excludedMutations: [],
  ignorers: [{ shouldIgnore: (path) => shouldIgnore(path as NodePath) }],
};

function toMutant(file: string, text: string, found: ApiMutant): Mutant {
  const { start, end } = found.location;
  return mutantOf(text, {
    language: 'typescript',
    file,
    start: { line: start.line + 1, column: start.column + 1 },
    end: { line: end.line + 1, column: end.column + 1 },
    mutator: found.mutatorName,
    replacement: found.replacement,
    ignored: found.statusReason ?? null,
  });
}

/** Lists the mutants of one source text. */
export async function mutantsOfText(file: string, text: string): Promise<Mutant[]> {
  const { mutants } = await new Instrumenter(silent).instrument([{ name: file, mutate: true, content: text }], options);
  return mutants.map((found) => toMutant(file, text, found));
}

/** Lists the mutants of TypeScript sources. */
export async function typescriptMutants(root: string, files: readonly string[]): Promise<Mutant[]> {
  const lists = [];
  for (const file of files) lists.push(await mutantsOfText(file, readFileSync(join(root, file), 'utf8')));
  return lists.flat();
}

export interface Instrumented {
  /** Maps each source to its text with every wanted mutant behind a switch. */
  readonly texts: ReadonlyMap<string, string>;
  /** Maps a mutant's key to the identity that activates it. */
  readonly ids: ReadonlyMap<string, string>;
}

/** Groups mutants by their source. */
export function byFile(mutants: readonly Mutant[]): Map<string, Mutant[]> {
  const groups = new Map<string, Mutant[]>();
  for (const mutant of mutants) groups.set(mutant.file, [...(groups.get(mutant.file) ?? []), mutant]);
  return groups;
}

/** Returns the places of mutants as the instrumenter counts them: from 0. */
const rangesOf = (mutants: readonly Mutant[]) =>
  mutants.map(({ start, end }) => ({
    start: { line: start.line - 1, column: start.column - 1 },
    end: { line: end.line - 1, column: end.column - 1 },
  }));

/**
 * Puts the wanted mutants behind a switch: the environment's `__STRYKER_ACTIVE_MUTANT__`. Changes only their places, so
 * that the rest stays fast. `read` returns a source's text. Throws when a wanted mutant is missing.
 */
export async function instrument(wanted: readonly Mutant[], read: (file: string) => string): Promise<Instrumented> {
  const groups = [...byFile(wanted)];
  const sources = new Map(groups.map(([file]) => [file, read(file)]));
  const files = groups.map(([name, mutants]) => ({
    name,
    mutate: rangesOf(mutants),
    content: sources.get(name) ?? '',
  }));
  const result = await new Instrumenter(silent).instrument(files, options);
  const keyOf = (found: ApiMutant) => toMutant(found.fileName, sources.get(found.fileName) ?? '', found).key;
  const all = new Map(result.mutants.map((found) => [keyOf(found), found.id]));
  const missing = wanted.filter(({ key }) => !all.has(key));
  if (missing.length > 0)
    throw new Error(`these mutants cannot be placed: ${missing.map(({ key }) => key).join(', ')}`);
  return {
    texts: new Map(result.files.map(({ name, content }) => [name, content])),
    ids: new Map(wanted.map(({ key }) => [key, all.get(key) ?? ''])),
  };
}
