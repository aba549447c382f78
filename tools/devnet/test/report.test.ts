import { expectedTotals, parseProfiles } from '@gridtokenx/simulators';
import { describe, expect, it } from 'vitest';
import type { Report, ReportHome } from '../src/start/report.js';
import { checkReport } from '../src/verify-report.js';

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
