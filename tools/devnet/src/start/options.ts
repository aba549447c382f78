import { resolve } from 'node:path';
import { type Command, InvalidArgumentError } from '@gridtokenx/runtime/node';
import { projectRoot } from '../root.js';

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
  /** Names the process that a debugger may attach to; null = none. */
  readonly inspect: string | null;
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

function service(text: string): string {
  if (!/^(?:chain|broker|meters|oracle|gateway-[1-9][0-9]{0,2})$/.test(text)) {
    throw new InvalidArgumentError('give chain, broker, meters, oracle or gateway-N.');
  }
  return text;
}

/** Values of the command line, before paths are resolved. */
export interface GivenOptions {
  readonly profiles?: string;
  readonly windows?: number;
  readonly speed: number;
  readonly report?: string;
  readonly exit: boolean;
  readonly data: string;
  readonly ports: number;
  readonly inspect?: string;
}

/** Adds the options to a command. */
export function addOptions(command: Command): Command {
  return command
    .option('--profiles <file>', 'CSV of homes: home,time,consumption_wh,production_wh (default: shipped real data)')
    .option('--windows <n>', 'settle the first n quarter hours of the profile, then close', count)
    .option('--speed <x>', 'simulated seconds per second, 1 = real time', factor, DEFAULT_SPEED)
    .option('--report <file>', 'write a JSON report once the windows are settled')
    .option('--exit', 'stop after the report; exit code 0 only if everything settled', false)
    .option('--data <dir>', 'folder of all durable data', resolve(projectRoot, '.gridtokenx'))
    .option('--ports <base>', 'first port of the used range', port, DEFAULT_PORTS)
    .option('--inspect <name>', 'let a debugger attach to this process on port 9229: oracle, gateway-1 ...', service)
    .allowExcessArguments(false);
}

/** Resolves paths from the user's folder: npm runs scripts in the package's folder. */
export function startOptions(given: GivenOptions, from = process.env.INIT_CWD ?? process.cwd()): StartOptions {
  const { profiles, windows, speed, report, exit, data, ports, inspect } = given;
  return {
    ...{ speed, exit, ports },
    profiles: profiles === undefined ? null : resolve(from, profiles),
    windows: windows ?? null,
    report: report === undefined ? null : resolve(from, report),
    data: resolve(from, data),
    inspect: inspect ?? null,
  };
}
