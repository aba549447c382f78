import { runCli } from '@gridtokenx/runtime/node/cli/run-cli';
import { describe, expect, it } from 'vitest';
import { Baseline, judgesOf, type Table } from '../src/baseline.js';
import { mutantOf, type Outcome, type Status } from '../src/mutant.js';
import { addOptions, type GivenOptions, type Options, optionsOf } from '../src/options.js';
import { partKilled, tableOf } from '../src/table.js';

const outcome = (status: Status, line: number, by = ''): Outcome => ({
  ...{ status, by, seconds: 1 },
  mutant: mutantOf(`${'\n'.repeat(line - 1)}a  <\nb`, {
    ...{ language: 'typescript', file: 'edge/src/a.ts', mutator: 'EqualityOperator', replacement: 'a <= b' },
    ...{ start: { line, column: 1 }, end: { line: line + 1, column: 2 }, ignored: null },
  }),
});

describe('the table', () => {
  it('names place, mutator and change of each, survivors last, and the part that was noticed', () => {
    const lines = tableOf([
      outcome('survived', 3),
      outcome('killed', 9, 'edge/test/a.test.ts'),
      outcome('timeout', 5),
      outcome('no coverage', 4),
      outcome('unbuildable', 6),
    ]).split('\n');
    expect(lines[0]?.replace(/ +/g, ' ')).toBe(
      'killed edge/src/a.ts:9 EqualityOperator a < b → a <= b (edge/test/a.test.ts)',
    );
    expect(lines[4]?.replace(/ +/g, ' ')).toBe('survived edge/src/a.ts:3 EqualityOperator a < b → a <= b');
    expect(lines.slice(-2)).toEqual([
      '1 killed, 1 timeout, 1 survived, 1 no coverage, 1 unbuildable',
      '50.0 % noticed',
    ]);
  });

  it('counts a missing run for neither side', () => {
    expect(partKilled([outcome('not run', 1), outcome('unbuildable', 2)])).toBeNull();
    expect(partKilled([outcome('not run', 1), outcome('killed', 2)])).toBe(100);
  });
});

describe('the test files that judge a mutant', () => {
  const near = ['far', 'near', 'slow', 'failing'].map((file, i) => ({ file, distance: [4, 1, 1, 1][i] ?? 1 }));
  const table = {
    far: { seconds: 2, reached: ['7'] },
    near: { seconds: 3, reached: [] },
    slow: { seconds: 30, reached: ['7'] },
    failing: { seconds: null, reached: ['7'] },
  };

  it('are those that reach it, near and fast first, within the time', () => {
    expect(judgesOf('7', near, table, 40)).toEqual({ files: ['far', 'slow'], seconds: 32 });
    expect(judgesOf('7', near, table, 20).files).toEqual(['far']);
    expect(judgesOf('8', near, table, 40).files).toEqual([]);
  });

  it('are all that pass without it when no file is known to reach it', () => {
    expect(judgesOf(null, near, table, 40)).toEqual({ files: ['near', 'far', 'slow'], seconds: 35 });
  });

  it('are measured once each', async () => {
    const measured: string[][] = [];
    const kept: Table[] = [];
    const measureThem = async (files: readonly string[]) => {
      measured.push([...files]);
      return Object.fromEntries(files.map((file) => [file, { seconds: 1, reached: [] }]));
    };
    const baseline = new Baseline({ near: table.near }, measureThem, (each) => void kept.push(each));
    await Promise.all([baseline.of(['near', 'far']), baseline.of(['far', 'slow'])]);
    expect(measured).toEqual([['far'], ['slow']]);
    expect(Object.keys(kept.at(-1) ?? {})).toEqual(['near', 'far', 'slow']);
  });
});

/** Parses a command line; returns the options, or the line with exit code 2 that states the error. */
async function parsed(argv: readonly string[]): Promise<Options | string> {
  let found: Options | null = null;
  let line = '';
  const take = (file: string | undefined, given: GivenOptions) => {
    found = optionsOf(file, given);
  };
  const commands = (program: Parameters<typeof addOptions>[0]) => void addOptions(program).action(take);
  const err = (text: string) => {
    line += text;
  };
  const exit = (code: number) => expect(code).toBe(line === '' ? 0 : 2);
  await runCli(
    { name: 'npm run mutants --', description: '', commands },
    { argv, out: () => {}, exitCode: () => undefined, err, exit },
  );
  return found ?? line;
}

describe('the command line', () => {
  it('reads a source or a sample', async () => {
    expect(await parsed(['edge/src/a.ts'])).toMatchObject({ file: 'edge/src/a.ts', sample: null, least: 85, seed: 1 });
    expect(await parsed(['--sample', '20', '--seed', '3', '--least', '70'])).toMatchObject({
      ...{ file: null, sample: 20, seed: 3, least: 70 },
    });
  });

  it.each([[[]], [['a.ts', '--sample', '3']], [['--sample', '0']], [['--sample', '3', '--least', '101']], [['--x']]])(
    'refuses %j',
    async (args) => {
      expect(await parsed(args)).toMatch(/^[^\n]+\n$/);
    },
  );
});
