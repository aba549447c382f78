import { execFile } from 'node:child_process';
import { readFileSync, statfsSync, writeFileSync } from 'node:fs';
import { cpus, freemem, loadavg, platform, release, totalmem, uptime } from 'node:os';
import { fileURLToPath } from 'node:url';
import { errorText } from '@gridtokenx/runtime/core';
import { readRegularFile, systemClock } from '@gridtokenx/runtime/node';
import { parse } from 'yaml';
import type { GatewayConfig } from '../wiring/config.js';
import { StartError } from '../wiring/setup.js';
import { VERSION } from '../wiring/version.js';
import { askStatus } from './commands.js';
import { redacted, redactedText } from './redact.js';

export interface DiagnoseOptions {
  readonly config: string;
  readonly out: string;
  /** A log of the gateway; absent: the journal of its systemd unit, where there is one. */
  readonly log?: string;
}

/** Longest time of a part, ms, and most bytes that it may print. */
const PART_MS = 180_000;
const PART_BYTES = 8 << 20;
/** Bytes of the log's end that are kept. */
const LOG_BYTES = 5 << 20;
const PROGRAM = fileURLToPath(new URL('../main.js', import.meta.url));

/** Runs a program; returns its output, or words about why there is none. */
export type RunPart = (file: string, args: readonly string[]) => Promise<string>;

/**
 * Writes one file for whoever helps: versions, machine, configuration without secrets, status, doctor, spool and the
 * last day's log. No key is read. Throws `StartError` when the file cannot be written.
 */
export async function diagnose(config: GatewayConfig, options: DiagnoseOptions, run: RunPart = runPart): Promise<void> {
  const out = (content: object) => writeOut(options.out, content);
  out({});
  const own = (...args: string[]) => run(process.execPath, [PROGRAM, ...args, '--config', options.config]);
  const parts: Record<string, unknown> = {
    version: 1,
    made: new Date(systemClock.nowMs()).toISOString(),
    software: { gateway: VERSION, node: process.versions.node, openssl: process.versions.openssl },
    machine: machineOf(config.data_dir),
    configuration: configurationOf(options.config),
  };
  const add = async (name: string, make: () => Promise<unknown>) => {
    console.error(`${name} ...`);
    parts[name] = await make().catch((error: unknown) => `unavailable: ${errorText(error)}`);
    out(parts);
  };
  await add('status', async () => (config.http ? redacted(await askStatus(config.http)) : 'no http section'));
  await add('doctor', () => own('doctor').then(linesOf));
  await add('spool', () => own('spool').then(linesOf));
  await add('log', async () => linesOf(options.log ? tailOf(options.log) : await journal(run)));
}

function writeOut(path: string, content: object): void {
  try {
    writeFileSync(path, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 });
  } catch (error) {
    throw new StartError(`${path}: cannot be written: ${(error as Error).message}`);
  }
}

const linesOf = (text: string): string[] => redactedText(text).trimEnd().split('\n');

/** Returns the configuration as it was written, without secrets; words where it cannot be parsed. */
function configurationOf(file: string): unknown {
  try {
    return redacted(parse(readFileSync(file, 'utf8')));
  } catch (error) {
    return `unavailable: ${errorText(error)}`;
  }
}

function machineOf(dataDir: string): object {
  const disk = () => {
    const { bavail, blocks, bsize, type } = statfsSync(dataDir);
    return { free_bytes: bavail * bsize, bytes: blocks * bsize, type };
  };
  return {
    ...{ platform: `${platform()} ${release()}`, arch: process.arch, cpus: cpus().length, load: loadavg() },
    ...{ memory_bytes: totalmem(), free_memory_bytes: freemem(), uptime_s: Math.floor(uptime()) },
    disk: attempt(disk),
    ntp: attempt(() => readFileSync('/run/systemd/timesync/synchronized').length === 0),
  };
}

function attempt<T>(make: () => T): T | string {
  try {
    return make();
  } catch (error) {
    return `unavailable: ${errorText(error)}`;
  }
}

function tailOf(file: string): string {
  return readRegularFile(file).subarray(-LOG_BYTES).toString('utf8');
}

function journal(run: RunPart): Promise<string> {
  const unit = ['-u', 'gridtokenx-gateway', '--since', '-24h', '--no-pager', '-o', 'cat'];
  return run('journalctl', unit).then((text) => text.slice(-LOG_BYTES));
}

/** Doctor and spool end with 3 where something is wrong: their output counts all the same. */
function runPart(file: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(file, [...args], { timeout: PART_MS, maxBuffer: PART_BYTES }, (error, stdout, stderr) => {
      const isMissing = error && 'code' in error && error.code === 'ENOENT';
      if (isMissing) reject(new Error(`${file} is not installed`));
      else resolve(`${stdout}${stderr}`);
    });
  });
}
