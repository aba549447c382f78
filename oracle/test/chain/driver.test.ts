import { NodeUnavailable } from '@gridtokenx/chain-sender';
import { FakeRegistry, meterOf } from '@gridtokenx/testing-kit/signed-journal';
import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { describe, expect, it } from 'vitest';
import { type DriverDeps, SettlementDriver } from '../../src/domain/settlement/driver.js';
import type { Step } from '../../src/domain/settlement/page-settler.js';
import { PageSettler } from '../../src/domain/settlement/page-settler.js';
import { settle, testLogger } from '../support/time.js';

// Pages are driven in turn: what one has to do, or its errors, hold up no other.
function world(
  step: (page: number) => Step | Promise<Step>,
  open: (page: number) => boolean = () => false,
  checkNetwork: () => Promise<string | null> = async () => null,
) {
  const clock = new VirtualClock({ startAtMs: 1_000_000 });
  const steps: number[] = [];
  let snapshots = 0;
  class Scripted extends PageSettler {
    override async step(): Promise<Step> {
      steps.push(this.page);
      return step(this.page);
    }
  }
  const deps = {
    registry: new FakeRegistry(meterOf(1, { page: 0 }), meterOf(2, { page: 1 })),
    statements: { onStored: () => () => {}, attestable: () => [], newest: () => undefined },
    store: { open: (_zone: number, page: number) => (open(page) ? {} : undefined) },
    snapshot: async () => ++snapshots,
    checkNetwork,
    randomness: { bytes: () => new Uint8Array(), fraction: () => 0.5 },
    logger: testLogger(),
    clock: clock,
    settlerOf: (...of: ConstructorParameters<typeof PageSettler>) => new Scripted(...of),
  } as unknown as DriverDeps;
  const driver = new SettlementDriver(deps);
  const run = async (ms: number) => {
    for (let at = 0; at < ms; at += 10) {
      clock.advanceNow(10);
      await settle();
    }
  };
  const end = () => driver.stop();
  return { driver, clock, steps, run, end, snapshots: () => snapshots };
}

describe('pages in turn', () => {
  it('a page that always has more to do leaves every other step to the other', async () => {
    let left = 200;
    const w = world((page) =>
      page === 1 || left-- <= 0 ? { kind: 'wait', untilMs: w.clock.nowMs() + 1, why: 'idle' } : { kind: 'progress' },
    );
    w.driver.start();
    await w.run(20);
    expect(w.steps.slice(0, 2)).toEqual([0, 1]);
    expect(w.steps.filter((page) => page === 1).length).toBeGreaterThan(1);
    await w.end();
  });

  it('a page whose step fails is tried again after growing pauses, and the other goes on', async () => {
    let settled = 0;
    const w = world((page) => {
      if (page === 0) throw new NodeUnavailable('page 1/0: it cannot be read');
      settled++;
      return { kind: 'wait', untilMs: w.clock.nowMs() + 100, why: 'idle' };
    });
    w.driver.start();
    await w.run(5_000);
    expect(settled).toBeGreaterThan(40);
    expect(w.steps.filter((page) => page === 0).length).toBeLessThan(12);
    expect(w.driver.state).toBe('waiting for the node: page 1/0: it cannot be read');
    expect(w.driver.stalled).toBeNull();
    await w.run(30_000);
    expect(w.driver.stalled).toMatch(/^settlement of page 1\/0 has not moved for \d+ s: waiting for the node/);
    await w.end();
  });

  it('a snapshot that is due for long begins nothing new until nothing is in flight', async () => {
    let inFlight = true;
    const w = world(
      (page) => {
        if (page === 1) return { kind: 'wait', untilMs: w.clock.nowMs() + 25, why: 'waiting for the transaction' };
        w.clock.advanceNow(1);
        return { kind: 'settled' };
      },
      (page) => page === 1 && inFlight,
    );
    const steps = () => w.steps.filter((page) => page === 0).length;
    // Page 0 settles without end: one step each time page 1 has to wait.
    w.driver.start();
    await w.run(100);
    expect(w.snapshots()).toBe(0);
    w.clock.advanceNow(6_000);
    await w.run(100);
    const before = steps();
    await w.run(200);
    expect(steps()).toBe(before);
    inFlight = false;
    await w.run(100);
    expect(w.snapshots()).toBeGreaterThan(0);
    await w.end();
  });
});

it('a foreign network is asked again every second, and nothing is sent to it', async () => {
  const asked: number[] = [];
  let answer: string | null = 'the chain is another network: nothing is sent';
  const w = world(
    () => ({ kind: 'wait', untilMs: w.clock.nowMs() + 60_000, why: 'idle' }),
    () => false,
    async () => {
      asked.push(w.clock.nowMs());
      return answer;
    },
  );
  const began = w.clock.nowMs();
  w.driver.start();
  await settle();
  await w.run(3_500);
  expect(asked.map((ms) => ms - began)).toEqual([0, 1_000, 2_000, 3_000]);
  expect(w.driver.failure).toBe(answer);
  expect(w.steps).toEqual([]);
  answer = null;
  await w.run(1_000);
  expect([w.driver.failure, w.steps.length]).toEqual([null, 2]);
  await w.end();
});
