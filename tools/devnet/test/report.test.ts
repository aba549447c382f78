import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OperatorError } from '@gridtokenx/runtime/core';
import { expectedTotals, parseProfiles } from '@gridtokenx/simulators';
import { afterAll, describe, expect, it } from 'vitest';
import { projectRoot } from '../src/root.js';
import type { Report, ReportHome } from '../src/start/report.js';
import { checkReport, readReport } from '../src/verify-report.js';

const profiles = parseProfiles(
  ['home,time,consumption_wh,production_wh']
    .concat(
      ['a', 'b'].flatMap((home) => [`${home},2020-01-01T09:00:00Z,40,500.7`, `${home},2020-01-01T09:30:00Z,90,20`]),
    )
    .join('\n'),
);

function report(): Report {
  const homes = profiles.map((profile): ReportHome => {
    const { exportWh, importWh } = expectedTotals(profile, 4);
    return {
      home: profile.home,
      meter_id: profile.home,
      gateway: 'g',
      owner: 'o',
      signer: 'gateway',
      import_wh: `${importWh}`,
      export_wh: `${exportWh}`,
      minted_base_units: `${exportWh * 1000n}`,
      statements: 5,
      readings: 50,
      verdicts: {},
      transactions: ['s'],
    };
  });
  const exported = homes.reduce((sum, home) => sum + BigInt(home.export_wh), 0n);
  return {
    rpc: '',
    mqtt: '',
    programs: {},
    mint: '',
    speed: 60,
    windows: 4,
    homes,
    close_to_mint_ms: { p50: null, p95: null, max: null },
    totals: { export_wh: `${exported}`, supply_base_units: `${exported * 1000n}` },
  };
}

describe('the check of a report', () => {
  it('finds nothing in an exact one', () => {
    expect(checkReport(report(), profiles, { lively: true })).toEqual([]);
    expect(report().homes[0]?.export_wh).toBe('460');
  });

  it('finds every single altered figure (control)', () => {
    const exact = report();
    const alterations: ((r: {
      homes: Record<string, unknown>[];
      totals: Record<string, unknown>;
      windows: number;
    }) => void)[] = [
      (r) => Object.assign(r.homes[0] ?? {}, { export_wh: '461' }),
      (r) => Object.assign(r.homes[1] ?? {}, { import_wh: '71' }),
      (r) => Object.assign(r.homes[1] ?? {}, { minted_base_units: '460001' }),
      (r) => Object.assign(r.homes[1] ?? {}, { transactions: [] }),
      (r) => Object.assign(r.totals, { export_wh: '921' }),
      (r) => Object.assign(r.totals, { supply_base_units: '920001' }),
      (r) => r.homes.pop(),
      (r) => Object.assign(r, { windows: 3 }),
    ];
    for (const alter of alterations) {
      const altered = structuredClone(exact) as never;
      alter(altered);
      expect(checkReport(altered, profiles, { lively: true })).not.toEqual([]);
    }
  });
});

describe('npm run verify-report', () => {
  const folder = mkdtempSync(join(tmpdir(), 'gtx-verify-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const verify = (...args: string[]) => {
    const { NODE_OPTIONS: _, ...env } = process.env;
    const script = join(projectRoot, 'tools/devnet/dist/verify-report.js');
    return spawnSync(process.execPath, [script, ...args], { encoding: 'utf8', env });
  };

  it('ends with 3 for a figure that is not exact, with 0 when all are, with 2 for what is no report', () => {
    execFileSync(process.execPath, [join(projectRoot, 'tools/build.mjs')]);
    const csv = join(folder, 'p.csv');
    writeFileSync(
      csv,
      'home,time,consumption_wh,production_wh\na,2020-01-01T09:00:00Z,0,5\na,2020-01-01T09:15:00Z,0,5\n',
    );
    const path = join(folder, 'r.json');
    const home = { home: 'a', export_wh: '10', import_wh: '0', minted_base_units: '10000', transactions: ['x'] };
    const report = (supply: string) =>
      JSON.stringify({ windows: 2, homes: [home], totals: { export_wh: '10', supply_base_units: supply } });
    writeFileSync(path, report('10000'));
    expect(verify(path, csv)).toMatchObject({ status: 0, stderr: '' });
    writeFileSync(path, report('10001'));
    const wrong = verify(path, csv);
    expect([wrong.status, wrong.stderr]).toEqual([3, 'supply is 10001 base units, expected 10000\n']);
    writeFileSync(path, '{}');
    expect(verify(path, csv)).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/r\.json: is no report .*; .*\n$/),
    });
  });
});

it.each([
  ['{"homes":[],"totals":{}}', 'windows'],
  ['{"windows":1,"homes":[null],"totals":{"export_wh":"0","supply_base_units":"0"}}', 'homes.0'],
  ['{"windows":1,"homes":[],"totals":{"export_wh":"many","supply_base_units":"0"}}', 'totals.export_wh'],
  ['null', 'is not there'],
])('a file that is no report gets one line that says where: %s', (text, where) => {
  const folder = mkdtempSync(join(tmpdir(), 'gtx-report-'));
  const file = join(folder, 'r.json');
  writeFileSync(file, text);
  try {
    expect(() => readReport(file)).toThrow(OperatorError);
    expect(() => readReport(file)).toThrow(where);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
