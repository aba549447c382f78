import { inspect } from 'node:util';
import { Command, CommanderError } from 'commander';
import { OperatorError } from '../../core/operator-error.js';
import { operatorErrorOf } from '../system-errors.js';

export { Command, InvalidArgumentError } from 'commander';

/** How a program ends. Stable numbers: supervisors and scripts read them. */
export const ExitCode = {
  done: 0,
  /** A defect of ours: a stack is on the error output. */
  defect: 1,
  /** The operator can mend it: one line says what is wrong and what to do. */
  operator: 2,
  /** A check that was asked for found something wrong: `doctor`, `verify-report`. */
  unwell: 3,
} as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

export interface CliProgram {
  readonly name: string;
  readonly description: string;
  readonly version?: string;
  /** Adds commands and options. An action may throw; it may set `process.exitCode` for an end that is no error. */
  readonly commands: (program: Command) => void;
}

/** The world of a command line. */
export interface CliIo {
  /** What stands behind the program's name. */
  readonly argv: readonly string[];
  out(text: string): void;
  err(text: string): void;
  /** What an action has asked for. */
  exitCode(): number | string | null | undefined;
  exit(code: number): void;
  /** Resolves, when all was written, with the first error of the standard output; null when it took everything. */
  outFailure?(): Promise<Error | null>;
}

/**
 * Watches the standard output from now on; the result is for `CliIo.outFailure`. Without a listener the first failed
 * `process.stdout.write` would end the process with a stack, and one of `console.log` would not be noticed at all.
 */
export function watchOutput(output: NodeJS.WritableStream = process.stdout): () => Promise<Error | null> {
  let failure: Error | null = null;
  output.on('error', (error: Error) => {
    failure ??= error;
  });
  return () => new Promise((resolve) => output.write('', () => setImmediate(() => resolve(failure))));
}

const processIo = (): CliIo => ({
  argv: process.argv.slice(2),
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  exitCode: () => process.exitCode,
  exit: (code) => process.exit(code),
  outFailure: watchOutput(),
});

/**
 * Runs a program's command line to its end, and ends the process as `ExitCode` says. An error is the operator's when it is
 * an `OperatorError`, comes from the command line, or is one of a short list of the system's; a `code` alone says nothing.
 */
export async function runCli(program: CliProgram, io: CliIo = processIo()): Promise<void> {
  const { name, description, version, commands } = program;
  const command = new Command(name)
    .description(description)
    .exitOverride()
    // The error is told below, in one line; help goes out as it is.
    .configureOutput({ writeOut: (text) => io.out(text), writeErr: (text) => io.err(text), outputError: () => {} });
  if (version !== undefined) command.version(version);
  commands(command);
  try {
    await command.parseAsync([...io.argv], { from: 'user' });
  } catch (error) {
    io.exit(await written(tell(error, name, io), io));
    return;
  }
  io.exit(await written(Number(io.exitCode() ?? ExitCode.done), io));
}

/** The code to end with: who reads half of an answer must not take it for the whole. */
async function written(code: number, io: CliIo): Promise<number> {
  const failure = (await io.outFailure?.()) ?? null;
  if (failure === null) return code;
  const { problem, advice } = operatorErrorOf(failure) ?? {
    problem: `cannot be written (${(failure as NodeJS.ErrnoException).code ?? failure.message})`,
    advice: 'give another one',
  };
  io.err(`${new OperatorError({ code: 'no-output', key: 'standard output', problem, advice }).message}\n`);
  return code === ExitCode.done ? ExitCode.operator : code;
}

/** Says what went wrong; the code to end with. */
function tell(error: unknown, name: string, io: CliIo): ExitCode {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return ExitCode.done;
    // Help that was printed for want of a command says all.
    if (error.code !== 'commander.help') io.err(`${usageLine(error, name)}\n`);
    return ExitCode.operator;
  }
  const mendable = operatorErrorOf(error);
  io.err(`${mendable ? mendable.message : inspect(error)}\n`);
  return mendable ? ExitCode.operator : ExitCode.defect;
}

function usageLine({ message }: CommanderError, name: string): string {
  const what = message.replace(/^error: /, '').replace(/\s*\n\s*/g, ' ');
  // A script of npm takes its options behind two dashes, which are no part of its name.
  return `${name.replace(/ --$/, '')}: ${what}; "${name} --help" lists what there is`;
}
