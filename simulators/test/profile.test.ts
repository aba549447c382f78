import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { WINDOW_MS } from '@gridtokenx/protocol';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  commonWindows,
  defaultProfilesPath,
  durationMs,
  energyAt,
  expectedTotals,
  loadProfiles,
  PROFILE_HEADER,
  ProfileError,
  parseProfiles,
  powerAt,
  yearPath,
} from '../src/index.js';

const START = Date.UTC(2026, 0, 31, 9, 0);
const rows = (entries: [string, number, string | number, string | number][]) =>
  [PROFILE_HEADER, ...entries.map((row) => row.join(','))].join('\n');
const at = (minutes: number) => START / 1000 + minutes * 60;

describe('reading a profile', () => {
  test('homes keep their order, times may be written in several ways, line ends and a byte order mark do not matter', () => {
    const text = [
      `\uFEFF${PROFILE_HEADER}`,
      'b,2026-01-31T16:00:00+07:00,0,100',
      `a,${at(0)},5,0`,
      'b,2026-01-31 09:15Z,0,100',
      `a,${at(15)},5.25,0`,
      '',
    ].join('\r\n');
    const [b, a] = parseProfiles(text);
    expect([b?.home, a?.home]).toEqual(['b', 'a']);
    expect([b?.startAtMs, a?.startAtMs]).toEqual([START, START]);
    expect(a?.importMicroWh.at(-1)).toBe(10_250_000n);
    expect(b && expectedTotals(b, 2)).toEqual({ importWh: 0n, exportWh: 200n });
  });

  test.each([
    ['nothing', '', 'p.csv:1: header'],
    ['another header', 'home,time,import_wh,export_wh\n', 'p.csv:1: header'],
    ['no rows', PROFILE_HEADER, 'p.csv:2: home'],
    ['three columns', `${PROFILE_HEADER}\na,1,2`, 'p.csv:2: columns'],
    ['five columns', `${PROFILE_HEADER}\na,1,2,3,4`, 'p.csv:2: columns'],
    ['no home', `${PROFILE_HEADER}\n,0,1,1`, 'p.csv:2: home'],
    ['a control character', `${PROFILE_HEADER}\na\u0007b,0,1,1`, 'p.csv:2: home'],
    ['a word as time', `${PROFILE_HEADER}\na,noon,1,1`, 'p.csv:2: time'],
    ['30 February', `${PROFILE_HEADER}\na,2026-02-30T00:00:00Z,1,1`, 'p.csv:2: time'],
    ['hour 25', `${PROFILE_HEADER}\na,2026-01-30T25:00:00Z,1,1`, 'p.csv:2: time'],
    ['a negative energy', `${PROFILE_HEADER}\na,0,-1,1`, 'p.csv:2: consumption_wh'],
    ['a word as energy', `${PROFILE_HEADER}\na,0,1,NaN`, 'p.csv:2: production_wh'],
    ['an exponent', `${PROFILE_HEADER}\na,0,1e3,0`, 'p.csv:2: consumption_wh'],
    ['seven decimals', `${PROFILE_HEADER}\na,0,0.1234567,0`, 'p.csv:2: consumption_wh'],
    ['an empty energy', `${PROFILE_HEADER}\na,0,,1`, 'p.csv:2: consumption_wh'],
    ['too much energy', `${PROFILE_HEADER}\na,0,99999999,1`, 'p.csv:2: consumption_wh'],
    ['one row', `${PROFILE_HEADER}\na,0,1,1`, 'p.csv:2: time'],
    ['a time that falls', `${PROFILE_HEADER}\na,900,1,1\na,0,1,1`, 'p.csv:3: time'],
    ['the same time twice', `${PROFILE_HEADER}\na,0,1,1\na,900,1,1\na,900,1,1`, 'p.csv:4: time'],
    ['a gap', `${PROFILE_HEADER}\na,0,1,1\na,900,1,1\na,2700,1,1`, 'p.csv:4: time'],
    ['seven minutes', `${PROFILE_HEADER}\na,0,1,1\na,420,1,1`, 'p.csv:3: time'],
    ['twenty minutes', `${PROFILE_HEADER}\na,0,1,1\na,1200,1,1`, 'p.csv:3: time'],
    ['a start between quarters', `${PROFILE_HEADER}\na,60,1,1\na,960,1,1`, 'p.csv:2: time'],
  ])('%s is refused with file, line and column', (_name, text, start) => {
    let error: unknown;
    try {
      parseProfiles(text, 'p.csv');
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(ProfileError);
    expect((error as Error).message.startsWith(`${start}: `), (error as Error).message).toBe(true);
    expect((error as Error).message).not.toContain('\n');
  });

  test('no text makes the reader fail in another way', () => {
    const line = fc.array(fc.constantFrom('a', '0', '900', '1800', '-', '.', ',', '"', '\n', '\r', ' ', 'T', '1'));
    void fc.assert(
      fc.property(line, (parts) => {
        try {
          parseProfiles(`${PROFILE_HEADER}\n${parts.join('')}`);
        } catch (error) {
          expect(error).toBeInstanceOf(ProfileError);
        }
      }),
    );
  });

  test('homes of different length are named', () => {
    const [a, b] = [
      { home: 'a', windows: 8 },
      { home: 'b', windows: 9 },
    ];
    const profiles = parseProfiles(
      rows(
        [a, b]
          .flatMap(({ home, windows }) => Array.from({ length: windows }, (_, i) => [home, at(15 * i), 1, 0] as const))
          .map((r) => [...r]),
      ),
    );
    expect(commonWindows(profiles)).toEqual({ windows: 8, notice: expect.stringContaining('a 8, b 9') });
    expect(commonWindows(profiles.slice(0, 1)).notice).toBeNull();
  });
});

describe('energy', () => {
  test('is netted within an interval, never across, and spread evenly', () => {
    const [home] = parseProfiles(
      rows([
        ['a', at(0), 40, 100],
        ['a', at(30), 61, 0],
      ]),
    );
    if (!home) throw new Error('no home');
    expect(expectedTotals(home, 1)).toEqual({ importWh: 0n, exportWh: 30n });
    expect(expectedTotals(home, 2)).toEqual({ importWh: 0n, exportWh: 60n });
    expect(expectedTotals(home, 3)).toEqual({ importWh: 30n, exportWh: 60n });
    expect(expectedTotals(home, 4)).toEqual({ importWh: 61n, exportWh: 60n });
    expect(() => expectedTotals(home, 5)).toThrow('4 windows');
    expect([powerAt(home, 0), powerAt(home, WINDOW_MS * 2), powerAt(home, WINDOW_MS * 4), powerAt(home, -1)]).toEqual([
      -120, 122, 0, 0,
    ]);
  });

  const profile = fc
    .record({
      intervalMs: fc.constantFrom(60_000, 300_000, 900_000, 1_800_000, 3_600_000),
      wh: fc.array(fc.tuple(fc.integer({ min: 0, max: 9_999_999 }), fc.integer({ min: 0, max: 9_999_999 })), {
        minLength: 2,
        maxLength: 40,
      }),
    })
    .map(({ intervalMs, wh }) => {
      const lines = wh.map(([c, p], i) => `a,${(START + i * intervalMs) / 1000},${c / 1000},${p / 1000}`);
      const [parsed] = parseProfiles([PROFILE_HEADER, ...lines].join('\n'));
      if (!parsed) throw new Error('no home');
      return { parsed, wh, intervalMs };
    });

  test('never falls, is exact at every window, and any partition sums to the total', () => {
    void fc.assert(
      fc.property(profile, fc.array(fc.double({ min: 0, max: 1.1, noNaN: true }), { maxLength: 30 }), (made, cuts) => {
        const { parsed, wh, intervalMs } = made;
        const positions = [0, ...cuts.map((cut) => cut * durationMs(parsed)), durationMs(parsed)].sort((x, y) => x - y);
        let sum = 0n;
        let last = energyAt(parsed, 0);
        for (const position of positions) {
          const now = energyAt(parsed, position);
          expect(now.importWh >= last.importWh && now.exportWh >= last.exportWh).toBe(true);
          sum += now.exportWh - last.exportWh;
          last = now;
        }
        // The same totals from the rows, in other arithmetic: thousandths of a watt-hour, windows x row share.
        for (let windows = 0; windows <= parsed.windows; windows++) {
          let [thousandths, divisor] = [0n, BigInt(intervalMs)];
          for (const [i, [c, p]] of wh.entries()) {
            const played = Math.min(Math.max(0, windows * WINDOW_MS - i * intervalMs), intervalMs);
            thousandths += BigInt(Math.max(0, p - c)) * BigInt(played);
          }
          divisor *= 1000n;
          expect(expectedTotals(parsed, windows).exportWh).toBe(thousandths / divisor);
        }
        if (positions.at(-1) === durationMs(parsed)) expect(sum).toBe(last.exportWh);
      }),
      { numRuns: 60 },
    );
  });
});

describe('the shipped data', () => {
  test('is what the script makes of the year', () => {
    const script = fileURLToPath(new URL('../scripts/make-default-profiles.mjs', import.meta.url));
    execFileSync(process.execPath, [script, '--check']);
  });

  test('gives three homes that export and import within the first two hours', () => {
    const profiles = loadProfiles(defaultProfilesPath);
    expect(profiles.map(({ home, windows }) => [home, windows])).toEqual([
      ['home-1', 2688],
      ['home-2', 2688],
      ['home-3', 2688],
    ]);
    expect(new Set(profiles.map(({ startAtMs }) => startAtMs))).toEqual(
      new Set([Date.parse('2011-10-06T07:30:00+10:00')]),
    );
    for (const home of profiles) {
      const { importWh, exportWh } = expectedTotals(home, 8);
      expect(exportWh, home.home).toBeGreaterThan(100n);
      expect(importWh, home.home).toBeGreaterThan(0n);
    }
  });

  test('has the totals of the year that its source states', () => {
    const text = readFileSync(yearPath, 'utf8').trim().split('\n').slice(1);
    const [home] = parseProfiles([PROFILE_HEADER, ...text.map((line) => `home,${line}`)].join('\n'));
    if (!home) throw new Error('no home');
    expect(home.intervals).toBe(17_568);
    expect(expectedTotals(home, home.windows)).toEqual({ importWh: 9_467_438n, exportWh: 183_508n });
  });
});
