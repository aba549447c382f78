import { dirname, join, resolve } from 'node:path';
import { asMeterId, base58Encode } from '@gridtokenx/protocol';
import { OperatorError } from '@gridtokenx/runtime/core';
import {
  type Command,
  ensureSeedFile,
  keepHeapSmall,
  privateFiles,
  provedVerifier,
  runCli,
  runService,
  serviceLog,
  sodiumSigner,
  systemClock,
  systemRandom,
} from '@gridtokenx/runtime/node';
import { readConfig } from '../wiring/config.js';
import { MAKE_KEY } from '../wiring/environment.js';
import { startOracle } from '../wiring/oracle.js';
import { exportEvidence } from './export-evidence.js';
import { setAside } from './set-aside.js';

async function run(file: string): Promise<void> {
  const config = readConfig(file);
  const log = serviceLog('oracle');
  await runService('oracle', log, async () => {
    const oracle = await startOracle(config, dirname(resolve(file)), log);
    const { port, servicePort } = oracle;
    return { ready: { port, servicePort }, stop: () => oracle.stop() };
  });
}

function init(file: string): void {
  const { key_file } = readConfig(file);
  const seed = ensureSeedFile(resolve(dirname(file), key_file), systemRandom, MAKE_KEY);
  process.stdout.write(`${base58Encode(sodiumSigner(seed).publicKey)}\n`);
}

function evidence(file: string, meter: string, out: string): void {
  if (!/^[0-9a-f]{32}$/.test(meter)) {
    const problem = 'must be 32 digits of lower-case hex';
    throw new OperatorError({ code: 'meter-id', key: '--meter', problem, advice: '' });
  }
  const ledger = join(resolve(dirname(file), readConfig(file).data_dir), 'ledger.sqlite');
  const paths = exportEvidence(ledger, asMeterId(meter), resolve(out), provedVerifier());
  if (paths.length > 0) process.stdout.write(`${paths.join('\n')}\n`);
  else {
    process.stderr.write(`no key of meter ${meter} has contradicted itself\n`);
    process.exitCode = 1;
  }
}

async function aside(file: string): Promise<void> {
  const from = dirname(resolve(file));
  const moved = await setAside(readConfig(file), (name) => resolve(from, name), systemClock.nowMs());
  process.stdout.write(`${moved.join('\n')}\nthe next start begins a new ledger, and gateways send again\n`);
}

function commands(program: Command): void {
  const command = (name: string, about: string, isDefault = false) =>
    program.command(name, { isDefault }).description(about).requiredOption('--config <file>', 'YAML or JSON');
  command('run', 'serve until stopped', true).action(({ config }: { config: string }) => run(config));
  command('init', 'make the key file if it is missing, and print the public key').action(
    ({ config }: { config: string }) => init(config),
  );
  command('export-evidence', "write two messages by which a meter's key contradicts itself; the oracle may be running")
    .requiredOption('--meter <id>', 'meter_id in hex')
    .option('--out <folder>', 'where the files go', '.')
    .action(({ config, meter, out }: { config: string; meter: string; out: string }) => evidence(config, meter, out));
  command('set-aside', 'move a damaged ledger aside; the next start begins a new one, and gateways send again').action(
    ({ config }: { config: string }) => aside(config),
  );
}

/** Runs the command line to its end. */
export function main(): Promise<void> {
  privateFiles();
  keepHeapSmall();
  const description = 'Verifies signed readings, keeps the ledger, settles';
  return runCli({ name: 'gridtokenx-oracle', description, commands });
}
