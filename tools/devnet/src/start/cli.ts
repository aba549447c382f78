import {
  afterIdle,
  ExitCode,
  privateFiles,
  runCli,
  type StopIo,
  stopSignal,
  systemClock,
} from '@gridtokenx/runtime/node';
import { diskError } from '../disk.js';
import { checkReportPlace } from '../files.js';
import { addOptions, type GivenOptions, type StartOptions, startOptions } from './options.js';
import { play } from './play.js';

/** Every process has 15 s to stop, one group after the other; then it is killed. Real milliseconds. */
const STOP_MS = 90_000;

/** Ends like a service, and also when the terminal closes. */
const io: StopIo = {
  on: (event, listener) => {
    process.on(event, listener);
    if (event === 'SIGTERM') process.on('SIGHUP', listener);
  },
  err: (text) => void process.stderr.write(text),
  exit: (code) => process.exit(code),
  send: () => {},
  clock: {
    monotonicMs: () => systemClock.monotonicMs(),
    after: afterIdle,
  },
};

async function run(options: StartOptions): Promise<void> {
  const say = (line: string) => void process.stdout.write(`${line}\n`);
  if (options.report) checkReportPlace(options.report);
  try {
    const isDone = await play(options, { clock: systemClock, stop: stopSignal(STOP_MS, io), say });
    // Stopped before everything was settled: the program has no fault, but a script must not continue.
    if (!isDone) process.exitCode = ExitCode.unwell;
  } catch (error) {
    throw diskError(error, options.data) ?? error;
  }
}

/** Runs the command line to its end. */
export function main(): Promise<void> {
  privateFiles();
  return runCli({
    name: 'npm start --',
    description: 'Runs the whole path on this machine: meters, gateways, broker, oracle and a real SVM node.',
    commands: (program) => addOptions(program).action((given: GivenOptions) => run(startOptions(given))),
  });
}
