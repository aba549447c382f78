import { ClockSource } from '@gridtokenx/runtime/core';
import { fixedRandom, VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { describe, expect, test } from 'vitest';
import { askOracles } from '../../src/adapters/clock/oracle-time.js';
import type { Anchor } from '../../src/domain/time/anchor.js';
import { DisciplinedClock, type NtpReport } from '../../src/domain/time/disciplined-clock.js';
import { TimeKeeper } from '../../src/domain/time/time-keeper.js';

const TRUE = Date.UTC(2026, 11, 1);
const DAY = 86_400_000;

/** A keeper on a machine whose clock is 40 days behind, with an oracle and a daemon that a test sets. */
function keeper() {
  const time = new VirtualClock({ startAtMs: TRUE - 40 * DAY });
  const disciplined = new DisciplinedClock(time, { floorMs: () => TRUE - DAY, hasOracles: true });
  const calls: string[] = [];
  const state = { isOracleUp: false, report: null as NtpReport | null };
  const sources = {
    ntp: async () => {
      calls.push(`ntp ${time.monotonicMs()}`);
      return state.report;
    },
    oracles: async (): Promise<Anchor | null> => {
      calls.push(`oracles ${time.monotonicMs()}`);
      const timeMs = TRUE + time.monotonicMs();
      return state.isOracleUp ? { steadyAtMs: time.monotonicMs(), timeMs, errorMs: 20 } : null;
    },
  };
  const [onSigned, onCorrected] = [() => calls.push('signed'), () => calls.push(`corrected ${time.monotonicMs()}`)];
  const stop = new AbortController();
  const keep = new TimeKeeper({ ...sources, disciplined, clock: time, random: fixedRandom(), onSigned, onCorrected });
  const begin = () => void keep.run(stop.signal);
  const asked = (kind: string) =>
    calls.filter((call) => call.startsWith(kind)).map((call) => Number(call.split(' ')[1]));
  return { time, disciplined, calls, state, begin, asked, stop, keep };
}

describe('the keeper of the time', () => {
  test('asks the oracles every few seconds with back-off until one answers, then every ten minutes', async () => {
    const { time, disciplined, state, begin, asked, calls, stop } = keeper();
    begin();
    await time.advance(200_000);
    const waits = asked('oracles').map((at, i, all) => at - (all[i - 1] ?? 0));
    expect(waits[1]).toBeLessThanOrEqual(4_000);
    expect(Math.max(...waits)).toBeLessThanOrEqual(60_000);
    expect(asked('oracles').length).toBeGreaterThanOrEqual(5);
    state.isOracleUp = true;
    await time.advance(60_000);
    expect([disciplined.isKnown, calls.filter((call) => call === 'signed').length]).toEqual([true, 1]);
    expect(asked('corrected')).toHaveLength(1);
    const before = asked('oracles').length;
    await time.advance(1_200_000);
    expect(asked('oracles').length - before).toBeGreaterThanOrEqual(2);
    expect(asked('oracles').length - before).toBeLessThanOrEqual(3);
    stop.abort();
    await time.settle();
    expect(time.pending).toBe(0);
  });

  test('asks every source at once after a step of the machine', async () => {
    const { time, state, begin, asked, stop } = keeper();
    state.isOracleUp = true;
    begin();
    await time.advance(30_000);
    const before = [asked('oracles').length, asked('ntp').length];
    time.step(7_200_000);
    await time.advance(2_001);
    expect([asked('oracles').length, asked('ntp').length]).toEqual(before.map((count) => count + 1));
    stop.abort();
  });

  test('a machine that steps all the time asks no more than once in two seconds', async () => {
    const { time, state, begin, asked, stop } = keeper();
    state.isOracleUp = true;
    begin();
    for (let step = 0; step < 100; step++) {
      time.step(5_000);
      await time.advance(100);
    }
    expect(asked('oracles').length).toBeLessThanOrEqual(7);
    stop.abort();
  });

  test('a report that a step overtook is discarded', async () => {
    const { time, disciplined, state, keep } = keeper();
    state.isOracleUp = false;
    state.report = { source: ClockSource.chrony, stamp: '1', ageMs: 0, errorMs: 5 };
    const ask = keep.askOnce();
    time.step(-3 * DAY);
    await ask;
    await time.advance(70_000);
    expect(disciplined.hasSource).toBe(false);
  });
});

describe('several oracles', () => {
  const answerOf = (byMs: number): Anchor => ({ steadyAtMs: 0, timeMs: TRUE + byMs, errorMs: 10 });

  test('give the median of those that answered; a dead one delays it by a second only', async () => {
    const time = new VirtualClock();
    const failed: number[] = [];
    const asks = [
      async () => answerOf(15),
      async () => answerOf(5),
      async () => Promise.reject(new Error('down')),
      () => new Promise<Anchor>(() => {}),
      async () => answerOf(-5),
    ];
    const asked = askOracles(asks, time, (which) => failed.push(which));
    await time.advance(999);
    expect(await Promise.race([asked, Promise.resolve('waiting')])).toBe('waiting');
    await time.advance(1);
    expect(await asked).toMatchObject({ timeMs: TRUE + 5 + 1_000 });
    expect(failed).toEqual([2]);
  });

  test('wait for a slow one where the first two exclude each other', async () => {
    const time = new VirtualClock();
    const slow = () => new Promise<Anchor>((resolve) => time.after(7_000, () => resolve(answerOf(7))));
    const asked = askOracles([async () => answerOf(DAY), async () => answerOf(0), slow], time, () => {});
    await time.advance(6_999);
    expect(await Promise.race([asked, Promise.resolve('waiting')])).toBe('waiting');
    await time.advance(1);
    expect(await asked).toMatchObject({ timeMs: TRUE + 7_000 + 7 });
  });

  test('wait for all where less than most have answered: a fast liar decides nothing', async () => {
    const time = new VirtualClock();
    const slow = () => new Promise<Anchor>((resolve) => time.after(2_000, () => resolve(answerOf(7))));
    const asked = askOracles([async () => answerOf(DAY), slow, slow], time, () => {});
    await time.advance(2_000);
    expect(await asked).toMatchObject({ timeMs: TRUE + 2_000 + 7 });
  });

  test('are no time when none answers', async () => {
    const time = new VirtualClock();
    expect(await askOracles([async () => Promise.reject(new Error('down'))], time, () => {})).toBeNull();
  });
});
