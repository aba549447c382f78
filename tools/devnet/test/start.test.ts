import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCli } from '@gridtokenx/runtime/node';
import { highestSpeed } from '@gridtokenx/simulators';
import { afterAll, describe, expect, it } from 'vitest';
import { checkReportPlace, readJson } from '../src/files.js';
import { formatGxt, Narrator, settlementLine, windowLabel } from '../src/start/narrator.js';
import { addOptions, DEFAULT_SPEED, type GivenOptions, type StartOptions, startOptions } from '../src/start/options.js';
import type { OracleApi, SettlementRow } from '../src/start/oracle-api.js';
import { makePlan } from '../src/start/plan.js';
import { isBroughtUp } from '../src/start/play.js';
import { percentile } from '../src/start/report.js';

const folder = mkdtempSync(join(tmpdir(), 'gtx-start-'));
afterAll(() => rmSync(folder, { recursive: true }));

const NOW = Date.UTC(2026, 0, 1);

function options(more: Partial<StartOptions>): StartOptions {
  return {
    profiles: null,
    windows: null,
    speed: 60,
    report: null,
    exit: false,
    data: folder,
    ports: 18_800,
    inspect: null,
    ...more,
  };
}

function csv(name: string, rows: string[]): string {
  const path = join(folder, name);
  writeFileSync(path, ['home,time,consumption_wh,production_wh', ...rows, ''].join('\n'));
  return path;
}

/** Parses a command line; returns the options, or the line with exit code 2 that states the error. */
async function parsed(argv: readonly string[]): Promise<StartOptions | string> {
  let found: StartOptions | null = null;
  let line = '';
  const take = (given: GivenOptions) => {
    found = startOptions(given);
  };
  const commands = (program: Parameters<typeof addOptions>[0]) => void addOptions(program).action(take);
  await runCli(
    { name: 'npm start --', description: '', commands },
    {
      ...{ argv, out: () => {}, exitCode: () => undefined },
      err: (text) => (line += text),
      exit: (code) => expect(code).toBe(line === '' ? 0 : 2),
    },
  );
  return found ?? line;
}

describe('the place of the report', () => {
  const at = (name: string) => join(folder, 'reports', name);

  it('is tried before the run, and nothing is left there', () => {
    checkReportPlace(at('r.json'));
    writeFileSync(at('old.json'), 'kept');
    checkReportPlace(at('old.json'));
    expect(readdirSync(join(folder, 'reports'))).toEqual(['old.json']);
  });

  it('is refused in one line where no file can come to be', () => {
    mkdirSync(at('folder'), { recursive: true });
    writeFileSync(at('file'), '');
    const line = (path: string, problem: string) => `--report ${path}: ${problem}; name another file`;
    expect(() => checkReportPlace(at('folder'))).toThrow(line(at('folder'), 'is a folder'));
    expect(() => checkReportPlace('/dev/null')).toThrow(line('/dev/null', 'is no regular file'));
    const below = at('file/r.json');
    expect(() => checkReportPlace(below)).toThrow(
      line(below, 'cannot be written (is there already, and is no folder)'),
    );
    expect(() => checkReportPlace('/proc/r.json')).toThrow(/^--report \/proc\/r\.json: cannot be written \(/);
  });
});

it('tells nothing of what a damaged file holds', () => {
  const path = join(folder, 'key.json');
  writeFileSync(path, '5ec4e7 5ec4e7');
  const message = `${path}: is not JSON; restore it from a backup`;
  expect(() => readJson(path)).toThrow(expect.objectContaining({ message }));
});

describe('a start that is stopped while it enrols', () => {
  const failed = new Error('enrol failed');
  const session = { bringUp: () => Promise.reject(failed) };

  it('was stopped: what a Ctrl-C ended is no failure', async () => {
    expect(await isBroughtUp(session, { stop: AbortSignal.abort() })).toBe(false);
  });

  it('has failed where nobody stopped it', async () => {
    const { signal: stop } = new AbortController();
    await expect(isBroughtUp(session, { stop })).rejects.toBe(failed);
    expect(await isBroughtUp({ bringUp: () => Promise.resolve() }, { stop })).toBe(true);
  });
});

describe('options of npm start', () => {
  it('has defaults', async () => {
    expect(await parsed([])).toMatchObject({ profiles: null, windows: null, speed: DEFAULT_SPEED, exit: false });
  });
  it.each([
    [['--windows', '0'], /windows.*whole number/],
    [['--windows', '1.5'], /windows.*whole number/],
    [['--speed', 'fast'], /speed.*simulated seconds/],
    [['--ports', '80'], /ports.*1024/],
    [['--nothing'], /unknown option/],
    [['extra'], /too many arguments/],
  ])('refuses %s in one line', async (argv, message) => {
    const line = await parsed(argv);
    expect(line).toMatch(message);
    expect(line).toMatch(/^npm start: [^\n]+\n$/);
  });
});

describe('the plan of a start', () => {
  it('takes the shipped profile: three homes that start by daylight', () => {
    const plan = makePlan(options({}), NOW);
    expect(plan.profiles.length).toBeGreaterThanOrEqual(3);
    expect(plan.windows).toBeGreaterThanOrEqual(7 * 96);
  });
  it('refuses a speed at which no poll fits before the boundary, with the highest possible one', () => {
    expect(() => makePlan(options({ speed: highestSpeed() + 1 }), NOW)).toThrow(
      `highest possible value is ${highestSpeed()}`,
    );
    expect(() => makePlan(options({ speed: highestSpeed() }), NOW)).not.toThrow();
  });
  it('refuses more windows than the profile has', () => {
    const path = csv('short.csv', ['a,2020-01-01T00:00:00Z,1,2', 'a,2020-01-01T00:15:00Z,1,2']);
    expect(() => makePlan(options({ profiles: path, windows: 3 }), NOW)).toThrow('only 2 windows');
  });
  it('refuses windows that would end after the chain’s clock, the closing one included', () => {
    const path = csv('late.csv', ['a,2025-12-31T23:30:00Z,1,2', 'a,2025-12-31T23:45:00Z,1,2']);
    expect(() => makePlan(options({ profiles: path, windows: 2 }), NOW)).toThrow(/after the chain's clock/);
    expect(() => makePlan(options({ profiles: path, windows: 1 }), NOW)).not.toThrow();
  });
  it('names file, line and column of a bad row, and refuses homes of different times', () => {
    const bad = csv('bad.csv', ['a,2020-01-01T00:00:00Z,1,2', 'a,2020-01-01T00:15:00Z,x,2']);
    expect(() => makePlan(options({ profiles: bad }), NOW)).toThrow(/bad\.csv:3: consumption_wh/);
    const rows = ['a,2020-01-01T00:00:00Z,1,2', 'a,2020-01-01T00:15:00Z,1,2'];
    const shifted = ['b,2020-01-01T01:00:00Z,1,2', 'b,2020-01-01T01:15:00Z,1,2'];
    expect(() => makePlan(options({ profiles: csv('two.csv', [...rows, ...shifted]) }), NOW)).toThrow(
      /home "b" does not cover/,
    );
    expect(() => makePlan(options({ profiles: join(folder, 'none.csv') }), NOW)).toThrow(/cannot be read \(ENOENT\)/);
  });
});

const ROW: SettlementRow = {
  id: 1,
  meter_id: 'm',
  window: Date.UTC(2020, 0, 1, 9, 15) / 900_000,
  export_wh: '412',
  import_wh: '7',
  minted_base_units: '412000',
  attest: 'A',
  mint: 'M',
  close_to_mint_ms: 900,
  undone: false,
};

describe('what the start says', () => {
  it('says a settled window in plain words', () => {
    expect(settlementLine('home 2', ROW, 0)).toBe(
      'home 2: window 09:15 closed, 0.412 kWh exported, 0.007 kWh imported, minted 0.412 GXT, transaction M',
    );
    expect(settlementLine('home 2', { ...ROW, export_wh: '0', minted_base_units: '0', mint: null }, 0)).toContain(
      'nothing to mint, transaction A',
    );
    expect(settlementLine('home 2', { ...ROW, undone: true }, 0)).toContain('attested again');
    expect(windowLabel(ROW.window, 600)).toBe('19:15');
    expect(formatGxt(1_234_567_000n)).toBe('1234.567');
  });
  it('says each row once, in order, and waits for an oracle that is away', async () => {
    const lines: string[] = [];
    let rows: SettlementRow[] | null = null;
    const api = {
      settlementsAfter: async (id: number) => {
        if (!rows) throw new Error('away');
        return rows.filter((row) => row.id > id);
      },
    } as unknown as OracleApi;
    const narrator = new Narrator(api, new Map([['m', 'home 1']]), 0, (line) => lines.push(line));
    expect(await narrator.follow()).toBe(0);
    rows = [ROW, { ...ROW, id: 2 }];
    expect(await narrator.follow()).toBe(2);
    expect(await narrator.follow()).toBe(0);
    expect(lines).toHaveLength(2);
  });
  it('takes percentiles by nearest rank', () => {
    expect(percentile([], 50)).toBeNull();
    expect(percentile([5, 1, 9, 3], 50)).toBe(3);
    expect(percentile([5, 1, 9, 3], 95)).toBe(9);
  });
});
