// npm run mutants -- FILE | --sample N --seed S: see docs/testing.md. Exit code 0: enough mutants were noticed; 1: too
// few, or some could not run; 2: the command line is wrong.
import { join, resolve } from 'node:path';
import { runCli } from '@gridtokenx/runtime/node/cli/run-cli';
import { choose } from './choose.js';
import { addOptions, type GivenOptions, type Options, optionsOf } from './options.js';
import { endAll } from './processes.js';
import { ignoredOf, writeReport } from './report.js';
import { runMutants } from './run.js';
import { partKilled, tableOf } from './table.js';

const root = resolve(process.env.GTX_ROOT ?? join(import.meta.dirname, '../../..'));
const say = (line: string) => void process.stdout.write(`${line}\n`);

/** Returns the folder name of one command's files. */
const nameOf = ({ file, sample, seed }: Options) =>
  file === null ? `sample-${sample}-seed-${seed}` : file.replaceAll('/', '-');

async function main(options: Options): Promise<number> {
  const campaigns = join(root, '.campaigns');
  const { all, chosen, unlisted } = await choose(root, options, join(campaigns, 'tools'), say);
  for (const [reason, count] of Object.entries(ignoredOf(all))) say(`${count} excluded: ${reason}`);
  if (options.list) {
    for (const { key } of chosen) say(key);
    return 0;
  }
  const outcomes = await runMutants(
    { root, folder: join(campaigns, 'mutants', nameOf(options)), say },
    options,
    chosen,
  );
  say(`\n${tableOf(outcomes)}`);
  if (options.report !== null) writeReport(resolve(options.report), options, all, outcomes);
  const unrun = unlisted + outcomes.filter(({ status }) => status === 'not run').length;
  if (unrun > 0)
    say(`${unrun} mutants of Rust could not run: cargo, cargo-mutants or the programs' toolchain is missing`);
  const part = partKilled(outcomes);
  return unrun === 0 && (part === null || part >= options.least) ? 0 : 1;
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    endAll();
    say('stopped: the same command continues from here');
    process.exit(1);
  });
}
await runCli({
  name: 'npm run mutants --',
  description: 'Changes the sources one place at a time; reports changes that no test notices',
  commands: (program) =>
    void addOptions(program).action(async (file: string | undefined, given: GivenOptions) => {
      process.exitCode = await main(optionsOf(file, given));
    }),
});
