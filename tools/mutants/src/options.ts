import { Command, InvalidArgumentError, Option } from 'commander';

export interface Options {
  /** One source, all of its mutants; null: a sample. */
  readonly file: string | null;
  readonly sample: number | null;
  readonly seed: number;
  /** Percent that must be noticed for exit code 0. */
  readonly least: number;
  readonly report: string | null;
  readonly workers: number;
  /** Seconds of tests for one mutant, as measured without one. */
  readonly seconds: number;
  readonly fresh: boolean;
  /** Draws and prints, runs nothing. */
  readonly list: boolean;
}

/** A command line that cannot be read, in words for its writer. */
export class UsageError extends Error {}

function whole(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('must be a whole number from 1');
  return value;
}

function percent(text: string): number {
  const value = Number(text);
  if (!/^[0-9]+(\.[0-9]+)?$/.test(text) || value > 100) throw new InvalidArgumentError('must be from 0 to 100');
  return value;
}

/** Reads the command line. Throws `UsageError` for what cannot be read; `--help` prints and returns null. */
export function parseOptions(args: readonly string[]): Options | null {
  const command = new Command('npm run mutants --')
    .description('Changes the sources one place at a time; tells which changes no test notices')
    .argument('[file]', 'one source, all of its mutants')
    .addOption(new Option('--sample <n>', 'draws n mutants over all sources of the product').argParser(whole))
    .option('--seed <s>', 'of the draw', whole, 1)
    .option('--least <percent>', 'that must be noticed for exit code 0', percent, 85)
    .option('--report <file>', 'writes a JSON report')
    .option('--workers <n>', 'mutants that are judged at the same time', whole, 2)
    .option('--seconds <n>', 'tests for one mutant, as long as they take without one', whole, 40)
    .option('--fresh', 'forget what a stopped run found', false)
    .option('--list', 'print the mutants, run nothing', false)
    .allowExcessArguments(false)
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
  try {
    command.parse([...args], { from: 'user' });
  } catch (error) {
    if ((error as { exitCode?: number }).exitCode === 0) return null;
    throw new UsageError((error as Error).message);
  }
  const { sample = null, report = null, ...rest } = command.opts();
  const file = command.args[0] ?? null;
  if ((file === null) === (sample === null)) throw new UsageError('give either a source or --sample N');
  return { ...rest, file, sample, report } as Options;
}
