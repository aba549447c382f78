import { inspect } from 'node:util';
import { Command, CommanderError } from 'commander';
import { OperatorError } from '../../core/operator-error.js';
import { operatorErrorOf } from '../system-errors.js';

export { Command, InvalidArgumentError } from 'commander';

/** Exit codes of a program. Stable numbers: supervisors and scripts read them. */
export const ExitCode = {
  done: 0,
  /** A defect of the program: the error output has a stack. */
  defect: 1,
  /** The operator can repair it: one line states problem and repair. */
  operator: 2,
  /** A check found a problem: `doctor`, `verify-report`. */
  unwell: 3,
} as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

export interface CliProgram {
  readonly name: string;
  readonly description: string;
  readonly version?: string;
  /** Adds commands and options. An action may throw. It may set `process.exitCode` for an end that is no error. */
  readonly commands: (program: Command) => void;
}

/** The environment of a command line. */
export interface CliIo {
  /** The arguments after the program's name. */
  readonly argv: readonly string[];
  out(text: string): void;
  err(text: string): void;
  /** Returns the exit code that an action has set. */
  exitCode(): number | string | null | undefined;
  exit(code: number): void;
  /** Resolves, when all is written, with the first error of the standard output; null when there is none. */
  outFailure?(): Promise<Error | null>;
}

/**
 * Watches the standard output from now on. The result is for `CliIo.outFailure`. Without a listener a failed
 * `process.stdout.write` would end the process with a stack, and nobody would notice a failed `console.log`.
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
 * Runs a program's command line to its end, and ends the process with an `ExitCode`. Three kinds of error are the operator's:
 * an `OperatorError`, one of the command line, and a short list of the system's. A `code` alone proves nothing.
 */
export async function runCli(program: CliProgram, io: CliIo = processIo()): Promise<void> {
  const { name, description, version, commands } = program;
  const command = new Command(name)
    .description(description)
    .exitOverride()
    // The error appears below, in one line; help passes unchanged.
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

/** Returns the exit code: a reader of half an answer must not mistake it for the whole. */
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

/** Writes the error for a person. Returns the exit code. */
function tell(error: unknown, name: string, io: CliIo): ExitCode {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return ExitCode.done;
    // The help that a missing command prints says all.
    if (error.code !== 'commander.help') io.err(`${usageLine(error, name)}\n`);
    return ExitCode.operator;
  }
  const mendable = operatorErrorOf(error);
  io.err(`${mendable ? mendable.message : inspect(error)}\n`);
  return mendable ? ExitCode.operator : ExitCode.defect;
}

function usageLine({ message }: CommanderError, name: string): string {
  const what = message.replace(/^error: /, '').replace(/\s*\n\s*/g, ' ');
  // A script of npm gets its options behind two dashes, which are no part of its name.
  return `${name.replace(/ --$/, '')}: ${what}; "${name} --help" lists what there is`;
}
