import { resolve } from 'node:path';
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { projectRoot } from '../root.js';
import { UserError } from '../user-error.js';

/** Options of `npm start`; stable from the first release on (README). */
export interface StartOptions {
  /** CSV of homes; null = the embedded default. */
  readonly profiles: string | null;
  /** Profile windows to settle, counted from the first start; null = all. */
  readonly windows: number | null;
  /** Simulated seconds per real second. */
  readonly speed: number;
  readonly report: string | null;
  readonly exit: boolean;
  readonly data: string;
  readonly ports: number;
}

export const DEFAULT_SPEED = 60;
export const DEFAULT_PORTS = 18_800;

function count(text: string): number {
  if (!/^[1-9][0-9]{0,6}$/.test(text)) throw new InvalidArgumentError('give a whole number from 1 on.');
  return Number(text);
}

function factor(text: string): number {
  const value = Number(text);
  if (!/^[0-9]+(\.[0-9]+)?$/.test(text) || value < 1) {
    throw new InvalidArgumentError('give simulated seconds per real second, 1 or more.');
  }
  return value;
}

function port(text: string): number {
  const value = Number(text);
  if (!/^[0-9]+$/.test(text) || value < 1024 || value > 64_000) {
    throw new InvalidArgumentError('give the first port of the range, from 1024 to 64000.');
  }
  return value;
}

/** Reads the command line. Throws `UserError` for what cannot be read; `--help` prints and returns null. */
export function parseOptions(argv: readonly string[]): StartOptions | null {
  const command = new Command('npm start --')
    .description('Runs the whole path on this machine: meters, gateways, broker, oracle and a real SVM node.')
    .option('--profiles <file>', 'CSV of homes: home,time,consumption_wh,production_wh (default: shipped real data)')
    .option('--windows <n>', 'settle the first n quarter hours of the profile, then close', count)
    .option('--speed <x>', 'simulated seconds per second, 1 = real time', factor, DEFAULT_SPEED)
    .option('--report <file>', 'write a JSON report once the windows are settled')
    .option('--exit', 'stop after the report; exit code 0 only if everything settled', false)
    .option('--data <dir>', 'where everything durable is kept', resolve(projectRoot, '.gridtokenx'))
    .option('--ports <base>', 'first of the ports that are used', port, DEFAULT_PORTS)
    .allowExcessArguments(false)
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
  try {
    command.parse([...argv], { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return null;
      throw new UserError(`${error.message.replace(/^error: /, '')} (npm start -- --help lists the options)`);
    }
    throw error;
  }
  const given = command.opts() as {
    profiles?: string;
    windows?: number;
    speed: number;
    report?: string;
    exit: boolean;
    data: string;
    ports: number;
  };
  // npm runs scripts in the package's folder; paths on the command line mean the folder the person stands in.
  const from = process.env.INIT_CWD ?? process.cwd();
  return {
    profiles: given.profiles === undefined ? null : resolve(from, given.profiles),
    windows: given.windows ?? null,
    speed: given.speed,
    report: given.report === undefined ? null : resolve(from, given.report),
    exit: given.exit,
    data: resolve(from, given.data),
    ports: given.ports,
  };
}
