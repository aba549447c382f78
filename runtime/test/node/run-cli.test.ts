import { spawnSync } from 'node:child_process';
import { Console } from 'node:console';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { Writable } from 'node:stream';
import { beforeEach, describe, expect, test } from 'vitest';
import { OperatorError } from '../../src/core/index.js';
import { ExitCode, InvalidArgumentError, runCli, watchOutput } from '../../src/node/index.js';

let out: string;
let err: string;
let exits: number[];
let wanted: number | undefined;
let outFailure: Error | null;
beforeEach(() => {
  [out, err, exits, wanted, outFailure] = ['', '', [], undefined, null];
});

/** Runs the command line of a program whose command `run` does `action`. */
async function run(argv: string[], action: () => unknown = () => {}): Promise<number | undefined> {
  const number = (text: string) => {
    if (!/^\d+$/.test(text)) throw new InvalidArgumentError('expected a whole number');
    return Number(text);
  };
  await runCli(
    {
      name: 'gtx-test',
      description: 'a program of a test',
      version: '1.2.3',
      commands: (program) => {
        const command = program.command('run').requiredOption('--config <file>', 'YAML').option('--n <n>', 'n', number);
        command.action(async () => {
          await action();
        });
      },
    },
    {
      argv,
      out: (text) => {
        out += text;
      },
      err: (text) => {
        err += text;
      },
      exitCode: () => wanted,
      exit: (code) => void exits.push(code),
      outFailure: async () => outFailure,
    },
  );
  expect(exits).toHaveLength(1);
  return exits[0];
}
const good = ['run', '--config', 'a'];

describe('0 when it is done', () => {
  test('after the action', async () => {
    expect([await run(good), out, err]).toEqual([0, '', '']);
  });
  test('after help and version, which go to the output', async () => {
    expect([await run(['--version']), out, err]).toEqual([0, '1.2.3\n', '']);
    exits = [];
    expect([await run(['run', '--help']), err]).toEqual([0, '']);
    expect(out).toContain('--config <file>');
  });
});

test('what the action asks for: 3 of a doctor', async () => {
  wanted = ExitCode.unwell;
  expect(await run(good)).toBe(3);
});

describe('an output that does not take what was written', () => {
  test.each([
    ['ENOSPC', 'the disk is full; make room'],
    ['EPIPE', 'cannot be written (EPIPE); give another one'],
  ])('ends with 2 and one line: %s', async (code, words) => {
    outFailure = Object.assign(new Error(code), { code, syscall: 'write' });
    expect([await run(good), err]).toEqual([2, `standard output: ${words}\n`]);
  });

  test('leaves the code of a finding and of a defect as it is', async () => {
    outFailure = new Error('closed');
    wanted = ExitCode.unwell;
    expect([await run(good), err]).toEqual([3, 'standard output: cannot be written (closed); give another one\n']);
    exits = [];
    expect(await run(good, () => Promise.reject(new Error('ours')))).toBe(1);
  });

  test('is noticed on a stream, whoever wrote to it, and its first error is told', async () => {
    const stream = new Writable({
      write: (bytes: Buffer, _encoding, done) => done(bytes.length > 0 ? new Error(String(bytes)) : null),
    });
    const failure = watchOutput(stream);
    expect(await failure()).toBeNull();
    new Console(stream).log('first');
    stream.write('second');
    expect((await failure())?.message).toBe('first\n');
  });

  test.skipIf(process.platform !== 'linux')('as a command does with /dev/full', () => {
    const script = `import { runCli } from ${JSON.stringify(import.meta.resolve('../../dist/node/index.js'))};
      await runCli({ name: 'x', description: '', commands: (p) => void p.action(() => console.log('identity')) });`;
    const full = openSync('/dev/full', 'w');
    const args = ['--input-type=module', '-e', script];
    const ended = spawnSync(process.execPath, args, { stdio: ['ignore', full, 'pipe'], encoding: 'utf8' });
    closeSync(full);
    expect([ended.status, ended.stderr]).toEqual([2, 'standard output: the disk is full; make room\n']);
  });
});

describe('2 and one line for what the operator can mend', () => {
  test.each([
    [['run', '--config', 'a', '--nothing'], "unknown option '--nothing'"],
    [[...good, '--confg', 'a'], "unknown option '--confg' (Did you mean --config?)"],
    [['run'], "required option '--config <file>' not specified"],
    [['run', '--config'], "option '--config <file>' argument missing"],
    [['rnu'], "unknown command 'rnu' (Did you mean run?)"],
    [[...good, '--n', 'x'], "option '--n <n>' argument 'x' is invalid. expected a whole number"],
    [[...good, 'more'], "too many arguments for 'run'. Expected 0 arguments but got 1: more."],
  ])('%j', async (argv, what) => {
    expect(await run(argv)).toBe(2);
    expect([out, err]).toEqual(['', `gtx-test: ${what}; "gtx-test --help" lists what there is\n`]);
  });

  test('no command at all: help, on the error output', async () => {
    expect([await run([]), out]).toEqual([2, '']);
    expect(err).toContain('Usage: gtx-test');
  });

  test('an error of the operator', async () => {
    const error = new OperatorError({ code: 'x', file: 'a.yaml', line: 3, key: 'k', problem: 'p', advice: 'q' });
    expect([await run(good, () => Promise.reject(error)), err]).toEqual([2, 'a.yaml:3: k: p; q\n']);
  });

  test('an error of the system that is the operator to mend', async () => {
    expect(await run(good, () => readFileSync('/not there'))).toBe(2);
    expect(err).toBe('/not there: is not there; correct the path\n');
  });
});

describe('1 and a stack for a defect of ours', () => {
  test('also when it has a code, as all errors of Node have', async () => {
    expect(await run(good, () => readFileSync(undefined as unknown as string))).toBe(1);
    expect(err).toMatch(/^TypeError: The "path"[\s\S]*\n {4}at [\s\S]*ERR_INVALID_ARG_TYPE/);
  });

  test('with its cause', async () => {
    const error = new Error('outer', { cause: new RangeError('inner') });
    expect(await run(good, () => Promise.reject(error))).toBe(1);
    expect(err).toContain('outer');
    expect(err).toContain('RangeError: inner');
  });

  test('also when it is no error', async () => {
    expect([await run(good, () => Promise.reject('text')), err]).toEqual([1, "'text'\n"]);
  });
});
