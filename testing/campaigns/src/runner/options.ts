import { Command, InvalidArgumentError } from 'commander';
import { campaignNames } from '../catalogue.js';

export interface Options {
  readonly name: string;
  /** null: as many seeds as the campaign wants. */
  readonly seeds: number | null;
  /** The first seed; the others follow it. */
  readonly seed: number;
  readonly control: string | null;
  readonly minutes: number;
  readonly workers: number | null;
  /** Forgets seeds that passed before. */
  readonly fresh: boolean;
}

const wholeFrom = (least: number, most: number) => (text: string) => {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value) || value < least || value > most)
    throw new InvalidArgumentError(`must be a whole number from ${least} to ${most}`);
  return value;
};
/** More numbers would fill the memory before the first seed began. */
const MAX_SEEDS = 10_000_000;
const MAX_SEED = 2 ** 40;
const MAX_MINUTES = 100_000;
const MAX_WORKERS = 256;

/**
 * Reads the command line (without program names); a wrong command line ends the process with code 2 and an explanation.
 */
export function parseOptions(args: readonly string[]): Options {
  const command = new Command('npm run campaign --')
    .description('Runs a seeded campaign; stopped, it goes on with the same command')
    .argument('<name>', campaignNames.join(', '))
    .option('--seeds <n>', 'number of seeds (default: the campaign decides)', wholeFrom(1, MAX_SEEDS))
    .option('--seed <s>', 'first seed', wholeFrom(0, MAX_SEED), 1)
    .option('--control <name>', 'break a rule on purpose; exit code 0 when the campaign notices')
    .option('--minutes <m>', 'stop after this time', wholeFrom(1, MAX_MINUTES), 30)
    .option('--workers <n>', 'processes (default: one for each core)', wholeFrom(1, MAX_WORKERS))
    .option('--fresh', 'forget the seeds that passed before', false)
    .configureOutput({ outputError: (text, write) => write(text) })
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));
  command.parse([...args], { from: 'user' });
  const { seeds, seed, control, minutes, workers, fresh } = command.opts();
  return {
    name: String(command.args[0]),
    seeds: seeds ?? null,
    seed,
    control: control ?? null,
    minutes,
    workers: workers ?? null,
    fresh,
  };
}
