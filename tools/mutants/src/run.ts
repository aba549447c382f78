import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Baseline, measure, type Table } from './baseline.js';
import { buildCopy, hashOf, makeCopy, ownFiles } from './copy.js';
import { readGraph, testsOf } from './graph.js';
import { judge } from './judge.js';
import type { Mutant, Outcome } from './mutant.js';
import type { Options } from './options.js';
import { judgeRust, type RustBench } from './rust/judge.js';
import { State } from './state.js';
import { lineOf } from './table.js';
import { byFile, instrument } from './typescript.js';

/** Maximum number of test files that judge one source. */
const NEAREST = 36;
/** Notices every change of an instruction's cost, so it is no evidence about behaviour. */
const COUNTS_UNITS = 'programs/tests/units.test.ts';

export interface Place {
  readonly root: string;
  /** Ignored by git; holds the results of a stopped run, copies and tools. */
  readonly folder: string;
  readonly say: (line: string) => void;
}

type Judge = () => Promise<Outcome>;

/** Prepares the copy in which mutants of TypeScript sources are activated. */
async function typescriptJudges(
  { root, folder, say }: Place,
  options: Options,
  mutants: readonly Mutant[],
  own: readonly string[],
  state: State,
): Promise<Map<string, Judge>> {
  if (mutants.length === 0) return new Map();
  const graph = readGraph(root);
  const nearest = new Map([...byFile(mutants).keys()].map((file) => [file, testsOf(graph, file).slice(0, NEAREST)]));
  const copy = join(folder, 'copy');
  makeCopy(root, own, copy);
  const { texts, ids } = await instrument(mutants, (file) => readFileSync(join(root, file), 'utf8'));
  for (const [file, text] of texts) writeFileSync(join(copy, file), text);
  buildCopy(copy);
  say(`${mutants.length} mutants in ${texts.size} sources`);
  const measureThem = async (files: readonly string[]) => {
    const table = await measure(copy, files, join(folder, 'reached'), options.workers);
    for (const file of files)
      if (table[file]?.seconds === null) say(`${file} fails without a mutant, so it judges none`);
    return table;
  };
  const keep = (table: Table) => state.keep('baseline', table);
  const baseline = new Baseline(state.read<Table>('baseline') ?? {}, measureThem, keep);
  const bench = { copy, baseline, capSeconds: options.seconds };
  return new Map(
    mutants.map((mutant) => [
      mutant.key,
      () => judge(bench, mutant, ids.get(mutant.key) ?? '', nearest.get(mutant.file) ?? []),
    ]),
  );
}

/** Prepares the copy in which Rust sources are changed one after the other. */
async function prepareRust({ root, folder, say }: Place, own: readonly string[], state: State): Promise<RustBench> {
  const copy = join(folder, 'copy-rust');
  makeCopy(root, own, copy);
  buildCopy(copy);
  const bench = { copy, target: join(folder, '..', 'target') };
  const known = state.read<RustBench['tests']>('chain-tests');
  if (known) return { ...bench, tests: known };
  const isTest = (file: string) => /^programs\/tests\/.*(?<!\.slow)\.test\.ts$/.test(file) && file !== COUNTS_UNITS;
  const files = own.filter(isTest);
  say(`For Rust: running ${files.length} test files of the programs without a mutant ...`);
  const table = await measure(copy, files, join(folder, 'reached-rust'), 1);
  const timed = Object.entries(table).flatMap(([file, { seconds }]) => (seconds === null ? [] : [{ file, seconds }]));
  const tests = timed.sort((a, b) => a.seconds - b.seconds);
  state.keep('chain-tests', tests);
  return { ...bench, tests };
}

/** Prepares Rust's copy when its first mutant is judged, so that other mutants need not wait. */
function rustJudges(
  place: Place,
  mutants: readonly Mutant[],
  own: readonly string[],
  state: State,
): Map<string, Judge> {
  let bench: Promise<RustBench> | null = null;
  const judgeOne = async (mutant: Mutant) => {
    bench ??= prepareRust(place, own, state);
    return judgeRust(await bench, mutant);
  };
  return new Map(mutants.map((mutant) => [mutant.key, () => judgeOne(mutant)]));
}

/** Judges mutants and returns an outcome for each; reuses outcomes of a stopped run of the same command. */
export async function runMutants(place: Place, options: Options, mutants: readonly Mutant[]): Promise<Outcome[]> {
  const own = ownFiles(place.root);
  // The text of documents changes no outcome.
  const judging = own.filter((file) => !file.endsWith('.md'));
  const state = new State(place.folder, hashOf(place.root, judging), options.fresh);
  const known = state.outcomes();
  const open = mutants.filter(({ key }) => !known.has(key));
  if (known.size > 0) place.say(`${known.size} mutants were judged before, ${open.length} are left`);
  const of = (language: Mutant['language']) => open.filter((mutant) => mutant.language === language);
  // All mutants are built in, so that a continued run has the same code.
  const wanted = of('typescript').length > 0 ? mutants.filter(({ language }) => language === 'typescript') : [];
  const judges = new Map([
    ...(await typescriptJudges(place, options, wanted, own, state)),
    ...rustJudges(place, of('rust'), own, state),
  ]);
  const queues = { typescript: of('typescript'), rust: of('rust') };
  const started = Date.now();
  let done = 0;
  const work = async (take: () => Mutant | undefined) => {
    for (let mutant = take(); mutant; mutant = take()) {
      const outcome = await judges.get(mutant.key)?.();
      if (!outcome) continue;
      state.add(outcome);
      known.set(mutant.key, outcome);
      done++;
      const minutes = ((Date.now() - started) / 60_000).toFixed(1);
      place.say(`${String(done).padStart(3)}/${open.length} ${minutes.padStart(5)} min  ${lineOf(outcome)}`);
    }
  };
  // Rust has one copy to change, so it has one worker; that worker helps with the rest when its own mutants are done.
  const workers = Array.from({ length: options.workers }, (_, i) =>
    work(() => (i === 0 ? queues.rust.shift() : undefined) ?? queues.typescript.shift()),
  );
  await Promise.all(workers);
  return mutants.flatMap(({ key }) => known.get(key) ?? []);
}
