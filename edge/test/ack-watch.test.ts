import { asMeterId, asPublicKeyText } from '@gridtokenx/protocol';
import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { describe, expect, onTestFinished, test } from 'vitest';
import { AckWatch, UNACKNOWLEDGED_MS } from '../src/domain/delivery/ack-watch.js';

const MAIN = asMeterId('00'.repeat(16));
const STRANGER = asPublicKeyText(new Uint8Array(32).fill(9));
function watch({ isHeard = true, strangers = [] as (typeof STRANGER)[] } = {}) {
  const clock = new VirtualClock();
  const state = { acknowledged: 0n, isWaiting: true };
  const acks = new AckWatch({
    clock,
    acks: { acknowledged: () => state.acknowledged },
    spool: { count: () => (state.isWaiting ? 1 : 0), highest: () => 9n },
    meters: () => [{ id: MAIN, name: 'main' }],
  });
  if (isHeard) acks.heard();
  const uplink = { online: true, strangers };
  const stop = new AbortController();
  const running = acks.run(uplink, stop.signal);
  onTestFinished(() => {
    stop.abort();
    return running;
  });
  /** Lets time pass, with a session or without. */
  const pass = (ms: number, online = true) => {
    uplink.online = online;
    return clock.advance(ms);
  };
  return { acks, state, pass };
}

describe('a meter of which nothing is acknowledged', () => {
  test('is named after ten minutes of a session, and no longer once something is', async () => {
    const { acks, state, pass } = watch();
    await pass(UNACKNOWLEDGED_MS - 1);
    expect(acks.problems()).toEqual([]);
    await pass(1);
    expect(acks.problems()).toEqual([
      'nothing of main was ever acknowledged, for 10 min while connected: the utility has to register it with what `enrol` writes',
    ]);
    state.acknowledged = 4n;
    await pass(2_000);
    expect(acks.problems()).toEqual([]);
    await pass(UNACKNOWLEDGED_MS);
    expect(acks.problems()).toEqual([expect.stringMatching(/^nothing more of main was acknowledged for 10 min/)]);
  });

  test('is no problem without a session, nor where nothing waits', async () => {
    const { acks, state, pass } = watch();
    await pass(UNACKNOWLEDGED_MS - 2_000);
    await pass(4 * UNACKNOWLEDGED_MS, false);
    expect(acks.problems()).toEqual([]);
    await pass(UNACKNOWLEDGED_MS - 2_000);
    expect(acks.problems()).toEqual([]);
    state.isWaiting = false;
    await pass(2 * UNACKNOWLEDGED_MS);
    expect(acks.problems()).toEqual([]);
  });

  test('is put down to the oracles where none was heard, and to a wrong key where another oracle answers', async () => {
    const silent = watch({ isHeard: false });
    await silent.pass(UNACKNOWLEDGED_MS);
    expect(silent.acks.problems()).toEqual([
      expect.stringMatching(/^no oracle acknowledged anything for 10 min .*keys/),
    ]);
    const other = watch({ isHeard: false, strangers: [STRANGER] });
    await other.pass(2_000);
    expect(other.acks.problems()).toEqual([
      `acks come from ${STRANGER}, an oracle that the configuration does not name, and none from those that it names: correct oracles[].key`,
    ]);
    const both = watch({ strangers: [STRANGER] });
    await both.pass(2_000);
    expect(both.acks.problems()).toEqual([]);
  });
});
