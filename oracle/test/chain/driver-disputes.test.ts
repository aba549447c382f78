import { reached } from '@gridtokenx/testing-kit/oracle/fixtures';
import { TestStatements } from '@gridtokenx/testing-kit/oracle/page-settler-harness';
import { quietLog } from '@gridtokenx/testing-kit/quiet-log';
import { FakeRegistry, meterOf } from '@gridtokenx/testing-kit/signed-journal';
import { afterEach, expect, it } from 'vitest';
import { SettlementDriver } from '../../src/domain/settlement/driver.js';
import { MovedSlots } from '../../src/domain/settlement/moved.js';
import { PageSettler } from '../../src/domain/settlement/page-settler.js';
import { planWindow } from '../../src/domain/settlement/plan.js';

const clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(ms: number, callback: () => void) {
    const timer = setTimeout(callback, Math.min(ms, 5));
    return () => clearTimeout(timer);
  },
};
let driver: SettlementDriver | null = null;
afterEach(() => driver?.stop());

function drive(change: { readPage?: () => Promise<never>; step: () => Promise<number>; isQuiet?: () => boolean }) {
  const taken: number[] = [];
  const page = { version: 0n, moves: 0, history: new Uint8Array(32), highestWindow: 0, slots: [] };
  const read = async () => ({ chainSlot: 1, page, ledger: null }) as never;
  driver = new SettlementDriver({
    node: { readPage: change.readPage ?? read } as never,
    builder: {} as never,
    store: {
      ...{ open: () => undefined, head: () => undefined, observed() {}, isCatchingUp: () => false, caughtUp() {} },
      ...{ settle: () => 0, reopenUnminted: () => 0, lastAttested: () => undefined, skippedThrough: () => -1 },
    } as never,
    disputes: { step: change.step, cases: () => [], failures: () => [], isQuiet: change.isQuiet ?? (() => true) },
    snapshot: async () => taken.push(1),
    ...{ registry: new FakeRegistry(meterOf(0)), statements: new TestStatements(), clock, logger: quietLog },
    ...{
      randomness: { bytes: (n: number) => new Uint8Array(n), fraction: () => 0.5 },
      graceMs: 0,
      closedAtMs: () => 0,
    },
    ...{ moved: new MovedSlots(() => 0), plan: planWindow, turns: null },
    settlerOf: (...of) => new PageSettler(...of),
    checkNetwork: async () => null,
  });
  driver.start();
  return { driver, taken };
}

it('a page whose settler fails at every step has its disputes watched all the same', async () => {
  let steps = 0;
  drive({
    readPage: () => Promise.reject(new Error('the settler is broken')),
    step: async () => {
      steps++;
      return Date.now();
    },
  });
  await reached('three looks', () => steps >= 3);
});

it('disputes that cannot be watched hold up no settler, and are named until they can', async () => {
  let isFailing = true;
  const { driver: made } = drive({
    step: async () => {
      if (isFailing) throw new Error('disk I/O error');
      return Date.now() + 5;
    },
  });
  await reached('the failure', () => made.disputes().failure === 'disk I/O error');
  await reached('the settler goes on', () => made.settlers()[0]?.last !== null && made.settlers().length === 1);
  isFailing = false;
  await reached('watched again', () => made.disputes().failure === null);
});

it('no snapshot is taken while an answer is on its way', async () => {
  let isOnItsWay = true;
  const { driver: made, taken } = drive({ step: async () => Date.now() + 5, isQuiet: () => !isOnItsWay });
  await reached('a settler', () => made.settlers().length === 1);
  await made.stop();
  expect(taken).toEqual([]);
  isOnItsWay = false;
  await made.stop();
  expect(taken).toEqual([1]);
});
