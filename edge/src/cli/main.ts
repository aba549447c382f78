import {
  type Command,
  ExitCode,
  InvalidArgumentError,
  keepHeapSmall,
  privateFiles,
  runCli,
  stopSignal,
} from '@gridtokenx/runtime/node';
import { type GatewayConfig, loadGatewayConfig } from '../wiring/config.js';
import { run } from '../wiring/run.js';
import { VERSION } from '../wiring/version.js';
import { enrol, frames, init, status } from './commands.js';
import type { ScanOptions } from './options.js';
import { refuseOwnFile } from './output.js';
import type { CheckOptions } from './profile-check-command.js';

/** Runs the command line to its end. */
export function main(): Promise<void> {
  keepHeapSmall();
  privateFiles();
  return runCli({
    name: 'gridtokenx-gateway',
    description: 'reads meters, signs, spools, publishes',
    version: VERSION,
    commands: declareCommands,
  });
}

/** Declares every command of the gateway. */
export function declareCommands(program: Command): void {
  gatewayCommands(program);
  statementCommand(program);
  acceptCommand(program);
  keyCommands(program);
  toolCommands(program);
  rescueCommands(program);
  doctorCommand(program);
  profileCheckCommand(program);
  scanCommand(program);
}

interface ConfigOption {
  readonly config: string;
}

/** Declares a command with the option `--config`. */
function command(program: Command, name: string, description: string): Command {
  return program.command(name).description(description).requiredOption('--config <file>', 'YAML or JSON configuration');
}

/** Loads the configuration of a command that writes a file. Throws `OperatorError` where that is one of its own. */
function configFor({ config: file, out }: ConfigOption & { readonly out: string }): GatewayConfig {
  const config = loadGatewayConfig(file);
  refuseOwnFile(out, file, config.data_dir);
  return config;
}

function gatewayCommands(program: Command): void {
  command(program, 'init', 'create missing keys and print the identity').action(({ config }: ConfigOption) =>
    init(loadGatewayConfig(config)),
  );
  command(program, 'enrol', 'read every meter once and write its signed enrolment')
    .requiredOption('--out <file>', 'JSON file for the utility')
    .option('--new-meter <name>', 'its counters may stand at 0 while power flows (repeat for each meter)', many, [])
    .action(({ config, out, newMeter }: ConfigOption & { out: string; newMeter: string[] }) =>
      enrol(configFor({ config, out }), out, newMeter),
    );
  command(program, 'run', 'read, sign, spool and publish until stopped').action(({ config }: ConfigOption) =>
    runUntilStopped(loadGatewayConfig(config)),
  );
  command(program, 'status', 'print the status of the running gateway').action(({ config }: ConfigOption) =>
    status(loadGatewayConfig(config)),
  );
  command(program, 'frames', "print the meters' raw replies of the last day")
    .option('--meter <name>', 'only this meter')
    .action(({ config, meter }: ConfigOption & { meter?: string }) => frames(loadGatewayConfig(config), meter));
}

function keyCommands(program: Command): void {
  command(program, 'encrypt-keys', 'encrypt the key files by the passphrase; the gateway must not run').action(
    async ({ config }: ConfigOption) => {
      const { encryptKeys } = await import('./key-commands.js');
      await encryptKeys(loadGatewayConfig(config));
    },
  );
  command(program, 'rotate-key <meter>', 'make the next key of a meter; the gateway must not run')
    .option('--out <file>', 'JSON file for the utility')
    .option('--approved', 'the utility has approved it: the next key signs from now on')
    .action(async (meter: string, options: ConfigOption & { out?: string; approved?: boolean }) => {
      const { rotateKey } = await import('./rotate-command.js');
      await rotateKey(loadGatewayConfig(options.config), meter, options);
    });
  command(program, 'rebind', 'bind the keys to this machine after a repair; the gateway must not run')
    .requiredOption('--reason <text>', 'why the machine is another one; it is stored')
    .action(async ({ config, reason }: ConfigOption & { reason: string }) => {
      const { rebindKeys } = await import('./key-commands.js');
      await rebindKeys(loadGatewayConfig(config), reason);
    });
}

function statementCommand(program: Command): void {
  command(program, 'statement', 'write the signed statement of a window, for submit-statement; signs nothing')
    .requiredOption('--window <n>', 'number of the window', wholeNumber)
    .requiredOption('--out <file>', 'JSON file for submit-statement')
    .option('--meter <name>', 'meter or point, where the configuration has several')
    .action(async (options: ConfigOption & { window: number; out: string; meter?: string }) => {
      const { writeStatement } = await import('./statement-command.js');
      await writeStatement(configFor(options), options);
    });
}

function acceptCommand(program: Command): void {
  command(program, 'accept-register', 'end the doubt of a meter whose registers fell or jumped for good')
    .requiredOption('--meter <name>', 'meter of the configuration')
    .requiredOption('--reason <text>', 'why the registers changed; it is stored and shown')
    .action(async (options: ConfigOption & { meter: string; reason: string }) => {
      const { acceptRegister } = await import('./accept-command.js');
      console.log(await acceptRegister(loadGatewayConfig(options.config), options));
    });
}

function toolCommands(program: Command): void {
  command(program, 'spool', 'print the content of the spool; changes nothing')
    .option('--verify', 'check every signature, too')
    .action(async ({ config, verify }: ConfigOption & { verify?: boolean }) => {
      const { inspectSpool } = await import('./spool-command.js');
      if (!(await inspectSpool(loadGatewayConfig(config), verify ?? false))) process.exitCode = ExitCode.unwell;
    });
  command(program, 'export', 'write the signed messages of a period, for "npm run audit -- --export FILE"')
    .requiredOption('--from <time>', 'begin in UTC, such as 2026-11-01T00:00Z')
    .requiredOption('--until <time>', 'end in UTC, excluded')
    .requiredOption('--out <file>', 'file for the messages')
    .option('--meter <name>', 'meter or point, where the configuration has several')
    .action(async (options: ConfigOption & { from: string; until: string; out: string; meter?: string }) => {
      const { exportMessages } = await import('./export-command.js');
      console.log(await exportMessages(configFor(options), options));
    });
}

function rescueCommands(program: Command): void {
  command(program, 'recover', 'copy what can be read of another data directory into the empty data_dir')
    .requiredOption('--from <folder>', 'data directory of a damaged card')
    .action(async ({ config, from }: ConfigOption & { from: string }) => {
      const { recover } = await import('./recover-command.js');
      const { keys, states, records, lostBytes, notes } = await recover(loadGatewayConfig(config), from);
      for (const note of notes) console.log(`note: ${note}`);
      console.log(`recovered ${keys} keys, ${states} states, ${records} records; ${lostBytes} bytes are lost`);
    });
  command(program, 'diagnose', 'write one file for whoever helps: no secrets, no keys')
    .requiredOption('--out <file>', 'JSON file')
    .option('--log <file>', "the gateway's log, where no systemd unit keeps it")
    .action(async (options: ConfigOption & { out: string; log?: string }) => {
      const { diagnose } = await import('./diagnose-command.js');
      await diagnose(configFor(options), options);
    });
}

function doctorCommand(program: Command): void {
  command(program, 'doctor', 'examine the buses, by reads only, and say what is wrong and what to do')
    .option('--bus <name>', 'only this bus')
    .action(async ({ config, bus }: ConfigOption & { bus?: string }) => {
      const { doctor } = await import('./doctor-command.js');
      const isWell = await doctor(loadGatewayConfig(config), bus, untilStopped());
      if (!isWell) process.exitCode = ExitCode.unwell;
    });
}

function profileCheckCommand(program: Command): void {
  program
    .command('profile-check <file>')
    .description('explain the profile in a file; with an address also read a meter by it, by reads only')
    .option('--host <host>', 'address of a meter or converter')
    .option('--port <n>', 'TCP port', wholeNumber)
    .option('--raw', 'the address is a converter that carries raw RTU frames; without this it speaks Modbus TCP')
    .option('--path <device>', 'serial port of a meter')
    .option('--baud <n>', "speed, where it is not the profile's", wholeNumber)
    .option('--parity <name>', 'none, even or odd')
    .option('--stop-bits <n>', '1 or 2', wholeNumber)
    .option('--unit <n>', 'unit number', wholeNumber)
    .action(async (file: string, options: CheckOptions) => {
      const { profileCheck } = await import('./profile-check-command.js');
      const isWell = await profileCheck(file, options, untilStopped());
      if (!isWell) process.exitCode = ExitCode.unwell;
    });
}

function scanCommand(program: Command): void {
  program
    .command('scan <port>')
    .description('find the meters on a serial port or at host:port by reading only, and write a configuration')
    .option('--out <file>', 'file for the configuration', 'gateway.yaml')
    .option('--base <file>', 'configuration whose other sections the new one adopts')
    .option('--profiles-dir <dir>', 'folder of your own profiles')
    .option('--expect <n>', 'stop after so many units', wholeNumber)
    .option('--raw', 'host:port is a converter that carries raw RTU frames; without this it speaks Modbus TCP')
    .option('--serial <unit=number>', 'serial number on a nameplate (repeat for each meter)', many, [])
    .option('--model <unit=name>', 'model on a nameplate', many, [])
    .option('--profile <unit=id>', 'profile of a unit that several profiles fit', many, [])
    .option('--owner <key>', "the owner's wallet")
    .option('--zone <n>', 'zone of the site', wholeNumber)
    .option('--export-limit-w <w>', 'the most that the connection can feed in', wholeNumber)
    .option('--import-limit-w <w>', 'the most that the connection can draw', wholeNumber)
    .option('--yes', 'ask nothing: mark unknown values, which run refuses')
    .option('--force', 'replace the file at --out')
    .option('--again', 'start anew instead of continuing the last scan')
    .action(async (port: string, options: ScanOptions) => {
      // Imported here: a running gateway does not need it.
      const { scan } = await import('./scan-command.js');
      const { scanCommandOf } = await import('./options.js');
      await scan(scanCommandOf(port, options), untilStopped());
    });
}

function many(text: string, before: string[]): string[] {
  return [...before, text];
}

function wholeNumber(text: string): number {
  if (!/^\d{1,8}$/.test(text)) throw new InvalidArgumentError('expected a whole number');
  return Number(text);
}

/** Returns a signal that the first Ctrl-C aborts; the second Ctrl-C ends the process at once. */
export function untilStopped(events: Pick<NodeJS.EventEmitter, 'once'> = process): AbortSignal {
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) events.once(signal, () => stop.abort());
  return stop.signal;
}

function runUntilStopped(config: GatewayConfig): Promise<void> {
  return run(config, stopSignal(), () => process.send?.({ type: 'ready' }));
}
