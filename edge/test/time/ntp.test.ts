import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ClockSource } from '@gridtokenx/runtime/core';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { CHRONYC_PATHS, chronySource, parseTracking } from '../../src/adapters/clock/chrony.js';
import { runProgram } from '../../src/adapters/clock/run-program.js';
import { timesyncdReport, timesyncdTouchedAtMs } from '../../src/adapters/clock/timesyncd.js';

/** Recorded from chronyc 4.3 against a chronyd over loopback. */
const GOOD =
  'C0A80001,192.168.0.1,6,1796144418.058397022,-0.000008585,-0.000000651,0.000000651,-1.512,-0.022,54.976,0.000020484,0.000031914,0.3,Normal\n';
const NOW = 1_796_144_419_000;
const LOCAL =
  '7F7F0101,,5,1796144416.583179338,0.000000000,0.000000000,0.000000000,0.000,0.000,0.000,0.000000000,0.000000000,0.0,Normal\n';
const field = (place: number, value: string) =>
  GOOD.trimEnd()
    .split(',')
    .map((one, i) => (i === place ? value : one))
    .join(',');

describe('the answer of chronyc', () => {
  test('gives the bound of the error, and a stamp that changes with each synchronisation', () => {
    const report = parseTracking(GOOD, NOW);
    expect(report).toMatchObject({ source: ClockSource.chrony, stamp: 'chrony 1796144418.058397022' });
    expect(report?.ageMs).toBeCloseTo(941.603, 2);
    expect(report?.errorMs).toBeCloseTo(0.008585 + 0.010242 + 0.031914, 6);
    expect(parseTracking(field(4, '-7200.5'), NOW)?.errorMs).toBeCloseTo(7_200_500.042, 2);
  });

  test.each([
    ['a daemon that believes its own machine', LOCAL],
    ['a daemon without a source', field(13, 'Not synchronised')],
    ['stratum 0', field(2, '0')],
    ['stratum 16', field(2, '16')],
    ['a number that is none', field(10, 'NaN')],
    ['a number in exponents', field(11, '1e9')],
    ['an infinite one', field(4, '-inf')],
    ['a missing field', GOOD.slice(GOOD.indexOf(',') + 1)],
    ['one more field', `${GOOD.trimEnd()},x`],
    ['an error message', '506 Cannot talk to daemon\n'],
    ['nothing', ''],
    ['two lines', GOOD + GOOD],
  ])('%s is no time', (_name, text) => expect(parseTracking(text, NOW)).toBeNull());

  test('any text gives no report, or one with a finite error that is not negative', () => {
    const nearly = fc.tuple(fc.integer({ min: 0, max: 13 }), fc.string()).map(([place, value]) => field(place, value));
    fc.assert(
      fc.property(fc.oneof(nearly, fc.string({ maxLength: 5_000 })), (text) => {
        const report = parseTracking(text, NOW);
        if (report) expect(report.errorMs >= 0 && Number.isFinite(report.errorMs)).toBe(true);
      }),
    );
  });
});

describe('asking chronyd', () => {
  test('runs the first chronyc that is there, by its absolute path, with a deadline', async () => {
    const calls: unknown[] = [];
    const source = chronySource(
      async (...call) => {
        calls.push(call);
        return GOOD;
      },
      (file) => file === CHRONYC_PATHS[1],
      () => NOW,
    );
    expect((await source())?.source).toBe(ClockSource.chrony);
    expect(calls).toEqual([
      ['/usr/local/bin/chronyc', ['-c', '-n', 'tracking'], { deadlineMs: 2_000, mostBytes: 2_048 }],
    ]);
  });

  test('a missing program and one that fails are no time', async () => {
    const run = () => Promise.reject(new Error('killed'));
    expect(
      await chronySource(
        run,
        () => true,
        () => NOW,
      )(),
    ).toBeNull();
    expect(
      await chronySource(
        async () => GOOD,
        () => false,
        () => NOW,
      )(),
    ).toBeNull();
  });
});

describe('a program', () => {
  const folder = mkdtempSync(join(tmpdir(), 'gtx-run-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const script = (text: string) => {
    const file = join(folder, `${text.length}.sh`);
    writeFileSync(file, `#!/bin/sh\n${text}\n`, { mode: 0o700 });
    return file;
  };

  test('gives its output; one that is late, fails or prints too much is refused', async () => {
    const limits = { deadlineMs: 5_000, mostBytes: 100 };
    expect(await runProgram(script('echo "$1 $LC_ALL"'), ['a b'], limits)).toBe('a b C\n');
    await expect(runProgram(script('exit 3'), [], limits)).rejects.toThrow();
    await expect(runProgram(script('while :; do echo 0123456789; done'), [], limits)).rejects.toThrow();
    await expect(runProgram(script('while :; do :; done #'), [], { ...limits, deadlineMs: 50 })).rejects.toThrow();
    await expect(runProgram(join(folder, 'missing'), [], limits)).rejects.toThrow(/ENOENT/);
  });
});

test('the age of the last synchronisation by timesyncd widens the error', () => {
  const touched = Date.UTC(2026, 11, 1);
  const error = (ageMs: number) => timesyncdReport(touched, touched + ageMs)?.errorMs ?? null;
  expect([0, 1_000_000, 86_400_000].map(error)).toEqual([1_000, 1_200, 18_280]);
  // The clock was set back since: the clock's own rule refuses it.
  expect(timesyncdReport(touched, touched - 5_000)).toMatchObject({ ageMs: -5_000, errorMs: 1_000 });
  expect(timesyncdReport(null, touched)).toBeNull();
  expect(timesyncdReport(touched, touched)?.stamp).not.toBe(timesyncdReport(touched + 1, touched)?.stamp);
});

test('a file of timesyncd that is missing, or that this user may not see, is no synchronisation', () => {
  for (const code of ['ENOENT', 'EACCES', 'EPERM'])
    expect(
      timesyncdTouchedAtMs(() => {
        throw Object.assign(new Error(code), { code });
      }),
    ).toBeNull();
  expect(timesyncdTouchedAtMs(() => ({ mtimeMs: NOW }))).toBe(NOW);
});
