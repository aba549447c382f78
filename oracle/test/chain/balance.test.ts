import { asWindow } from '@gridtokenx/protocol';
import { meterOf } from '@gridtokenx/testing-kit/signed-journal';
import { expect, it } from 'vitest';
import { BalanceWatch } from '../../src/adapters/chain/balance.js';
import { healthOf, MAX_WINDOWS_BEHIND, type SettlerView } from '../../src/domain/settlement/health.js';
import { MIN_BALANCE_LAMPORTS, type OracleParts, oracleHealth } from '../../src/wiring/health.js';

it("reads the attestor's balance again and again, and keeps the last one while the node is away", async () => {
  const timers: (() => void)[] = [];
  const clock = {
    nowMs: () => 0,
    monotonicMs: () => 0,
    after: (_ms: number, run: () => void) => {
      timers.push(run);
      return () => {};
    },
  };
  const answers: (number | Error)[] = [5e9, new Error('ECONNREFUSED'), MIN_BALANCE_LAMPORTS - 1];
  const watch = new BalanceWatch(async () => {
    const answer = answers.shift();
    if (typeof answer !== 'number') throw answer;
    return answer;
  }, clock);
  const seen: (number | null)[] = [watch.lamports];
  for (let n = 0; n < 3; n++) {
    await watch.refresh();
    seen.push(watch.lamports);
  }
  expect(seen).toEqual([null, 5e9, 5e9, MIN_BALANCE_LAMPORTS - 1]);
  expect(timers).toHaveLength(3);
  watch.stop();
  answers.push(1);
  await watch.refresh();
  expect(timers).toHaveLength(3);
});

it('a low balance is said before it ends, one that is enough is not', () => {
  const named = (lamports: number | null) => {
    const parts = {
      ...{ broker: { isConnected: true, problem: null }, intake: { failures: 0 }, database: {} },
      registry: { asOf: { chainSlot: 1, fetchedAtMs: 1 }, problem: null },
      ...{ certificate: () => null, series: { problem: () => null }, clock: { look: () => null } },
      settlements: { chainHealth: () => ({ balanceLamports: lamports }) },
      ...{ overQuota: () => null, copiedKeys: () => null, diskSpace: () => null, now: () => 1 },
    } as unknown as OracleParts;
    return JSON.stringify(oracleHealth(parts).report());
  };
  expect(named(MIN_BALANCE_LAMPORTS - 1)).toContain('send it some before its signatures end');
  for (const lamports of [MIN_BALANCE_LAMPORTS, null]) expect(named(lamports)).not.toContain('the attestor has');
});

it('a page behind its statements is named, one that was not read yet is not', () => {
  const meters = [0, 1].map((slot) => ({ ...meterOf(slot + 1), zone: 1, page: 0, slot }));
  const behind = (windows: number, change: object = {}) => {
    const slots = [asWindow(90), asWindow(90 - windows)].map((window) => ({ flags: 1, window }));
    const settler = { zone: 1, page: 0, last: { page: { slots } }, problem: null, mintProblems: () => [], ...change };
    const driver = {
      ...{ state: 'idle', lastSnapshotChainSlot: null, failure: null, snapshotFailure: null, stalled: null },
      settlers: () => [settler as unknown as SettlerView],
      disputes: () => ({ cases: [], failure: null }),
    };
    const newest = () => ({ window: asWindow(90) }) as never;
    return healthOf(driver as never, { meters: () => meters } as never, [], { newest, balanceLamports: () => null })
      .behind;
  };
  expect(behind(MAX_WINDOWS_BEHIND)).toEqual([]);
  const words = `page 1/0: 1 meters are up to ${MAX_WINDOWS_BEHIND + 1} windows behind`;
  expect(behind(MAX_WINDOWS_BEHIND + 1)).toEqual([words]);
  for (const last of [null, { page: null }]) expect(behind(50, { last })).toEqual([]);
  for (const place of [{ zone: 2 }, { page: 1 }]) expect(behind(50, place)).toEqual([]);
});
