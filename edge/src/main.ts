#!/usr/bin/env node
import { Command } from 'commander';
import { KeyError } from './adapters/keys/key-store.js';
import { enrol, init, status } from './commands.js';
import { ConfigError, type GatewayConfig, loadConfig } from './config.js';
import { run, VERSION } from './run.js';
import { StartError } from './setup.js';

/** A clean stop takes at most this long, in real milliseconds. */
const STOP_MS = 10_000;

const program = new Command('gridtokenx-gateway')
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
  .then(() => process.exit(0))
  .catch((error: unknown) => {
    const known = error instanceof ConfigError || error instanceof StartError || error instanceof KeyError;
    const system = error instanceof Error && 'code' in error;
    console.error(known || system ? (error as Error).message : error);
    process.exit(known || system ? 2 : 1);
  });
