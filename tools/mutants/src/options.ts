import { OperatorError } from '@gridtokenx/runtime/core';
import { type Command, InvalidArgumentError } from '@gridtokenx/runtime/node/cli/run-cli';

export interface Options {
  /** One source, with all its mutants; null: a sample. */
  readonly file: string | null;
  readonly sample: number | null;
  readonly seed: number;
  /** Percentage that tests must notice for exit code 0. */
  readonly least: number;
  readonly report: string | null;
  readonly workers: number;
  /** Seconds of tests for one mutant, as measured without a mutant. */
  readonly seconds: number;
  readonly fresh: boolean;
  /** Draws and prints; runs nothing. */
  readonly list: boolean;
}

/** The options as given; the set of given options decides the task. */
export type GivenOptions = Omit<Options, 'file' | 'sample' | 'report'> & Partial<Pick<Options, 'sample' | 'report'>>;

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

/** Adds argument and options to a command. */
export function addOptions(command: Command): Command {
  return command
    .argument('[file]', 'one source, all of its mutants')
    .option('--sample <n>', 'draws n mutants over all sources of the product', whole)
    .option('--seed <s>', 'seed of the draw', whole, 1)
    .option('--least <percent>', 'percentage that tests must notice for exit code 0', percent, 85)
    .option('--report <file>', 'writes a JSON report')
    .option('--workers <n>', 'mutants that are judged at the same time', whole, 2)
    .option('--seconds <n>', 'seconds of tests for one mutant, as measured without a mutant', whole, 40)
    .option('--fresh', 'forget the results of a stopped run', false)
    .option('--list', 'print the mutants, run nothing', false)
    .allowExcessArguments(false);
}

/** Returns the task. Throws `OperatorError` where the command line does not state one. */
export function optionsOf(file: string | undefined, given: GivenOptions): Options {
  const { sample = null, report = null, ...rest } = given;
  if ((file === undefined) === (sample === null)) {
    const advice = 'give one of them';
    throw new OperatorError({ code: 'option', problem: 'either a source or --sample N is needed', advice });
  }
  return { ...rest, file: file ?? null, sample, report };
}
