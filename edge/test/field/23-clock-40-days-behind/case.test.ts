/**
 * Plays a gateway whose machine is 40 days behind, as after a winter in a drawer: it read meters for weeks and signed no
 * statement, because its sign-in tokens were out of date. Now readings carry the oracle's time from its first answer on,
 * the window of that answer is shown, the next is attested, and a person reads by how much the machine is wrong.
 */
import { EventCode } from '@gridtokenx/protocol';
import { ClockSource } from '@gridtokenx/runtime/core';
import { describe, expect, test } from 'vitest';
import { playClock } from '../../support/clocked-meter.js';
import { MINUTE } from '../../support/meter-polls.js';

const DAY = 86_400_000;
const BEHIND = { machineAheadMs: -40 * DAY, floorAheadMs: -40 * DAY };

describe('a machine that is 40 days behind', () => {
  test('signs right times from the first answer of an oracle on, without a step of its clock', async () => {
    const run = await playClock({ ...BEHIND, oracleFrom: 0 });
    await run.time.advance(31 * MINUTE);
    expect(run.readings().every(({ wrongMs }) => Math.abs(wrongMs) < 1_000)).toBe(true);
    expect(run.readings().some(({ isUnknown }) => isUnknown)).toBe(false);
    expect(run.statements().map(({ window, isUnknown }) => [window, isUnknown])).toEqual([
      [0, false],
      [1, false],
    ]);
    expect(run.time.nowMs() - run.time.reading.nowMs()).toBe(-40 * DAY);
    expect([run.problems(), run.signInWrongMs()]).toEqual([[], 0]);
    await run.end();
  });

  test('gives the readings before the first answer their true windows, shown and never attested', async () => {
    const run = await playClock({ ...BEHIND, oracleFrom: 20 });
    await run.time.advance(19 * MINUTE);
    expect(run.readings().every(({ uncertaintyMs, isUnknown }) => uncertaintyMs === null && isUnknown)).toBe(true);
    expect(run.statements()).toEqual([]);
    expect(run.problems()).toEqual(['the clock is not synchronised: no statement is signed (its error is unknown)']);
    expect(run.signInWrongMs()).toBe(-40 * DAY);
    await run.time.advance(27 * MINUTE);
    expect(run.signInWrongMs()).toBe(0);
    expect(run.changes().map(({ code, detail }) => [code, detail])).toEqual([
      [EventCode.clockStepped, ClockSource.oracle],
      [EventCode.clockSourceChanged, ClockSource.oracle],
    ]);
    expect(run.problems()).toEqual([]);
    expect(run.statements()).toEqual([
      { window: 0, second: 880, isUnknown: true },
      { window: 1, second: 1_780, isUnknown: true },
      { window: 2, second: 2_680, isUnknown: false },
    ]);
    await run.end();
  });

  test('closes nothing while NTP contradicts the oracle, and names both', async () => {
    const run = await playClock({ ...BEHIND, oracleFrom: 0, ntpFrom: 1, lieMs: -30 * DAY });
    await run.time.advance(40 * MINUTE);
    expect(run.statements()).toEqual([]);
    const readings = run.readings().filter(({ minute }) => minute > 2);
    expect(readings.every(({ wrongMs, isUnknown }) => Math.abs(wrongMs) < 1_000 && isUnknown)).toBe(true);
    expect(readings.every(({ uncertaintyMs }) => (uncertaintyMs ?? 0) >= 30 * DAY)).toBe(true);
    expect(run.problems()[0]).toMatch(/^chrony says 2025-12-02 .* and the oracles' signed time says 2026-01-01 /);
    expect(run.signInWrongMs()).toBe(0);
    await run.end();
  });
});
