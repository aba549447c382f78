import { dirname, join, resolve } from 'node:path';
import { base58Encode } from '@gridtokenx/protocol';
import { BoundedLog, keepHeapSmall, privateFiles } from '@gridtokenx/runtime';
import { Command } from 'commander';
import { pino } from 'pino';
import { systemRandomness } from './adapters/clock/index.js';
import { ensureKeyFile } from './adapters/files/key.js';
import { provenVerifier, sodiumSigner } from './adapters/sodium/index.js';
import { exportEvidence } from './cli/export-evidence.js';
import { setAside } from './cli/set-aside.js';
import { type Config, ConfigError, loadConfig } from './wiring/config.js';
import { startOracle } from './wiring/oracle.js';

/** Says what is wrong and what to do, and ends with the code for a bad set-up. */
function giveUp(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(2);
}

function explain(error: unknown, config: Pick<Config, 'page' | 'service'>): string {
  if (error instanceof ConfigError) return error.message;
  const { code, message, ...rest } = error as NodeJS.ErrnoException & { errcode?: number; port?: number };
  const key = config.service && config.service.port === rest.port ? 'service' : 'page';
  const at = config[key] ?? config.page;
  const where = `${at.host}:${at.port}`;
  if (code === 'EADDRINUSE') return `${key}: ${where} is taken; stop what listens there, or choose another ${key}.port`;
  if (code === 'EACCES' && message.includes('listen'))
    return `${key}: not allowed to listen on ${where}; choose another ${key}.port`;
  if (code === 'EADDRNOTAVAIL') return `${key}: ${at.host} is no address of this machine; correct ${key}.host`;
  if (code === 'ENOSPC' || message.includes('disk is full'))
    return `data_dir: the disk is full; make room (${message})`;
  return message;
}

async function run(file: string): Promise<void> {
  const config = orGiveUp(() => loadConfig(file));
  const logger = new BoundedLog(pino({ name: 'oracle' }), (ms, task) => setTimeout(task, ms).unref());
  const oracle = await startOracle(config, dirname(resolve(file)), logger).catch((error: unknown) =>
    giveUp(explain(error, config)),
  );
  let isStopping = false;
  const stop = (why: string) => {
    if (isStopping) return;
    isStopping = true;
    logger.info({ why }, 'oracle stops');
    logger.flush();
    oracle.stop().then(
      () => process.exit(0),
      (error: unknown) => {
        logger.error({ err: error }, 'oracle could not stop cleanly');
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', () => stop('SIGTERM'));
  process.on('SIGINT', () => stop('SIGINT'));
  if (process.send) {
    process.on('disconnect', () => stop('parent gone'));
    // The log is written by another thread and may come later than this: whoever waits learns the port from here.
    process.send({ type: 'ready', port: oracle.port, servicePort: oracle.servicePort });
  }
}

function orGiveUp<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    return giveUp(error instanceof Error ? error.message : String(error));
  }
}

function init(file: string): void {
  const config = orGiveUp(() => loadConfig(file));
  const seed = orGiveUp(() => ensureKeyFile(resolve(dirname(file), config.key_file), systemRandomness));
  process.stdout.write(`${base58Encode(sodiumSigner(seed).publicKey)}\n`);
}

function evidence(file: string, meter: string, out: string): void {
  if (!/^[0-9a-f]{32}$/.test(meter)) giveUp('--meter: must be 32 digits of lower-case hex');
  const config = orGiveUp(() => loadConfig(file));
  const ledger = join(resolve(dirname(file), config.data_dir), 'ledger.sqlite');
  const paths = orGiveUp(() => exportEvidence(ledger, meter, resolve(out), provenVerifier()));
  if (paths.length > 0) process.stdout.write(`${paths.join('\n')}\n`);
  else {
    process.stderr.write(`no key of meter ${meter} has contradicted itself\n`);
    process.exitCode = 1;
  }
}

async function aside(file: string): Promise<void> {
  const config = orGiveUp(() => loadConfig(file));
  const from = dirname(resolve(file));
  const moved = await setAside(config, (name) => resolve(from, name), Date.now()).catch((error: unknown) =>
    giveUp(error instanceof Error ? error.message : String(error)),
  );
  process.stdout.write(`${moved.join('\n')}\nthe next start begins a new ledger, and gateways send again\n`);
}

privateFiles();
keepHeapSmall();
const program = new Command('gridtokenx-oracle')
  // What is wrong on the command line is the operator's to mend, and 1 is for defects of ours.
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2))
  .description('Verifies signed readings, keeps the ledger, settles');
program
  .command('run', { isDefault: true })
  .description('serve until stopped')
  .requiredOption('--config <file>', 'YAML or JSON')
  .action(({ config }: { config: string }) => run(config));
program
  .command('init')
  .description('make the key file if it is missing, and print the public key')
  .requiredOption('--config <file>', 'YAML or JSON')
  .action(({ config }: { config: string }) => init(config));
program
  .command('export-evidence')
  .description("write two messages by which a meter's key contradicts itself; the oracle may be running")
  .requiredOption('--config <file>', 'YAML or JSON')
  .requiredOption('--meter <id>', 'meter_id in hex')
  .option('--out <folder>', 'where the files go', '.')
  .action(({ config, meter, out }: { config: string; meter: string; out: string }) => evidence(config, meter, out));
program
  .command('set-aside')
  .description('move a damaged ledger aside; the next start begins a new one, and gateways send again')
  .requiredOption('--config <file>', 'YAML or JSON')
  .action(({ config }: { config: string }) => aside(config));
await program.parseAsync();
