#!/usr/bin/env node
import { privateFiles } from '@gridtokenx/runtime';
import { Command, InvalidArgumentError } from 'commander';
import { KeyError } from './adapters/keys/key-store.js';
import { enrol, frames, init, status } from './cli/commands.js';
import type { ScanOptions } from './cli/options.js';
import { ConfigError, type GatewayConfig, loadConfig } from './wiring/config.js';
import { run, VERSION } from './wiring/run.js';
import { StartError } from './wiring/setup.js';

/** A clean stop takes at most this long, in real milliseconds. */
const STOP_MS = 10_000;

/** Exit code of `doctor` when something is wrong. */
const UNWELL = 3;

privateFiles();
const program = new Command('gridtokenx-gateway')
  // What is wrong on the command line is the operator's to mend, and 1 is for defects of ours.
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2))
  .description('reads meters, signs, spools, publishes')
  .version(VERSION);

/** Every command takes its configuration the same way. */
function command(name: string, description: string): Command {
  return program.command(name).description(description).requiredOption('--config <file>', 'YAML or JSON configuration');
}

command('init', 'make the keys that are missing and print the identity').action((options: { config: string }) =>
  init(loadConfig(options.config)),
);
command('enrol', 'read every meter once and write its signed enrolment')
  .requiredOption('--out <file>', 'JSON file for the utility')
  .action((options: { config: string; out: string }) => enrol(loadConfig(options.config), options.out));
command('run', 'read, sign, spool and publish until stopped').action((options: { config: string }) =>
  runUntilStopped(loadConfig(options.config)),
);
command('status', 'what the running gateway says about itself').action((options: { config: string }) =>
  status(loadConfig(options.config)),
);
command('frames', "the meters' answers of the last day, as they stood on the line")
  .option('--meter <name>', 'of one meter only')
  .action((options: { config: string; meter?: string }) => frames(loadConfig(options.config), options.meter));

command('statement', 'write the statement that was signed for a window, for submit-statement; signs nothing')
  .requiredOption('--window <n>', 'number of the window', wholeNumber)
  .requiredOption('--out <file>', 'JSON file for submit-statement')
  .option('--meter <name>', 'meter or point, where the configuration has several')
  .action(async (options: { config: string; window: number; out: string; meter?: string }) => {
    const { writeStatement } = await import('./cli/statement-command.js');
    await writeStatement(loadConfig(options.config), options);
  });

command('doctor', 'look at the buses, by reads only, and say what is wrong and what to do')
  .option('--bus <name>', 'only this bus')
  .action(async (options: { config: string; bus?: string }) => {
    const { doctor } = await import('./cli/doctor-command.js');
    const isWell = await doctor(loadConfig(options.config), options.bus, untilStopped());
    if (!isWell) process.exitCode = UNWELL;
  });
program
  .command('scan <port>')
  .description('find the meters on a serial port or at host:port by reading only, and write a configuration')
  .option('--out <file>', 'where the configuration is written', 'gateway.yaml')
  .option('--base <file>', 'a configuration whose other sections are taken over')
  .option('--expect <n>', 'stop when so many units were found', wholeNumber)
  .option('--raw', 'host:port is a converter that carries raw RTU frames; without this it speaks Modbus TCP')
  .option('--serial <unit=number>', 'serial number on a nameplate (repeat for each meter)', many, [])
  .option('--model <unit=name>', 'model on a nameplate', many, [])
  .option('--profile <unit=id>', 'profile of a unit that several fit', many, [])
  .option('--owner <key>', "the owner's wallet")
  .option('--zone <n>', 'zone of the site', wholeNumber)
  .option('--export-limit-w <w>', 'the most that the connection can feed in', wholeNumber)
  .option('--import-limit-w <w>', 'the most that the connection can draw', wholeNumber)
  .option('--yes', 'ask nothing: what is not known is marked, and run refuses it')
  .option('--force', 'replace the file at --out')
  .option('--again', 'do not go on where the last scan stopped')
  .action(async (port: string, options: ScanOptions) => {
    // Loaded here: the gateway that runs does not need it.
    const { scan } = await import('./cli/scan-command.js');
    const { scanCommandOf } = await import('./cli/options.js');
    await scan(scanCommandOf(port, options), untilStopped());
  });

function many(text: string, before: string[]): string[] {
  return [...before, text];
}

function wholeNumber(text: string): number {
  if (!/^\d{1,8}$/.test(text)) throw new InvalidArgumentError('expected a whole number');
  return Number(text);
}

/** Aborted by the first Ctrl-C; the second one ends the process at once. */
function untilStopped(): AbortSignal {
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort());
  return stop.signal;
}

async function runUntilStopped(config: GatewayConfig): Promise<void> {
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort());
  stop.signal.addEventListener('abort', () => {
    // A disk or a bus that never answers must not keep a stopped gateway alive: what is committed is safe.
    setTimeout(() => process.exit(0), STOP_MS).unref();
  });
  // A parent that is gone leaves nobody to stop this process.
  process.once('disconnect', () => stop.abort());
  await run(config, stop.signal, () => process.send?.({ type: 'ready' }));
}

program
  .parseAsync()
  .then(() => process.exit())
  .catch((error: unknown) => {
    const known = error instanceof ConfigError || error instanceof StartError || error instanceof KeyError;
    const system = error instanceof Error && 'code' in error;
    console.error(known || system ? (error as Error).message : error);
    process.exit(known || system ? 2 : 1);
  });
