import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CloneWatch } from '../src/domain/delivery/clone-watch.js';

const status = (session: string, online = true) => ({ session, online, version: '1' });

const BROKER = 'mqtt://first';

/** A gateway that has published its own status, `minutes` ago. */
async function connected(minutes = 0) {
  const time = new VirtualClock();
  const watch = new CloneWatch(time);
  watch.opens('own');
  watch.connected(BROKER);
  watch.heard(status('own'), BROKER);
  await time.advance(60_000 * minutes);
  return { time, watch };
}

describe('another gateway with this key', () => {
  test('is noticed when its session is online, and counts as gone ten minutes after its last sign', async () => {
    const { time, watch } = await connected();
    expect([watch.problem, watch.isHolding]).toEqual([null, false]);
    watch.heard(status('other'), BROKER);
    expect(watch.problem).toContain('another gateway with this key is online (session other)');
    expect(watch.problem).toContain('by "init" in an empty data_dir');
    await time.advance(599_999);
    expect(watch.isHolding).toBe(true);
    watch.heard(status('again'), BROKER);
    await time.advance(599_999);
    expect(watch.isHolding).toBe(true);
    await time.advance(1);
    expect([watch.problem, watch.isHolding]).toEqual([null, false]);
  });

  test('is noticed by its wills alone, which are all that a broker shows while both push each other out', async () => {
    const late = await connected(2);
    late.watch.heard(status('other', false), BROKER);
    expect(late.watch.isHolding).toBe(true);
    const early = await connected();
    for (const [session, isHolding] of [
      ['one', false],
      ['two', false],
      ['two', false],
      ['three', true],
    ] as const) {
      early.watch.heard(status(session, false), BROKER);
      expect(early.watch.isHolding, session).toBe(isHolding);
    }
  });

  test('is noticed by a message that was never sent here', async () => {
    const { watch } = await connected();
    watch.foreignMessage('house');
    expect(watch.problem).toContain('(a message of meter house that was not sent here)');
    expect(watch.isHolding).toBe(true);
  });
});

describe('no other gateway', () => {
  test('are the sessions of this run, its failed attempts too, and their wills', async () => {
    const { watch } = await connected(2);
    for (const session of ['second', 'third']) {
      watch.opens(session);
      watch.heard(status('own', false), BROKER);
      watch.heard(status(session), BROKER);
    }
    expect(watch.problem).toBeNull();
  });

  test('is the session of an earlier run; while it seems online, sending waits five seconds', async () => {
    for (const online of [true, false]) {
      const time = new VirtualClock();
      const watch = new CloneWatch(time);
      watch.opens('own');
      watch.heard(status('before', online), BROKER);
      watch.connected(BROKER);
      expect(watch.isHolding).toBe(online);
      watch.heard(status('before', false), BROKER);
      await time.advance(5_000);
      watch.heard(status('before', false), BROKER);
      expect([watch.problem, watch.isHolding]).toEqual([null, false]);
    }
  });

  test('is what another broker retained of an earlier run', async () => {
    const { time, watch } = await connected(120);
    watch.heard(status('old', false), 'mqtt://second');
    watch.connected('mqtt://second');
    await time.advance(600_000);
    watch.heard(status('old', false), 'mqtt://second');
    expect([watch.problem, watch.isHolding]).toEqual([null, false]);
    watch.heard(status('other'), 'mqtt://second');
    expect(watch.isHolding).toBe(true);
  });

  test('is a late will of an earlier run', async () => {
    const { watch } = await connected(1);
    watch.heard(status('late', false), BROKER);
    expect(watch.problem).toBeNull();
  });
});

test('any number of sessions needs bounded memory', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.string(), fc.boolean()), { maxLength: 300 }), (heard) => {
      const watch = new CloneWatch(new VirtualClock());
      for (let i = 0; i < 200; i++) watch.opens(`own ${i}`);
      watch.heard(status('own 199'), BROKER);
      watch.connected(BROKER);
      for (const [session, online] of heard) watch.heard(status(session, online), BROKER);
      expect(watch.problem?.length ?? 0).toBeLessThan(300);
      watch.opens('last');
      const before = watch.problem;
      watch.heard(status('last'), BROKER);
      expect(watch.problem).toBe(before);
    }),
    { numRuns: 30 },
  );
});
