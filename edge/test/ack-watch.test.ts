import { asMeterId, asPublicKeyText, type PublicKeyText } from '@gridtokenx/protocol';
import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { describe, expect, onTestFinished, test } from 'vitest';
import { AckWatch, UNACKNOWLEDGED_MS } from '../src/domain/delivery/ack-watch.js';
import { OFFLINE_MS, OraclePresence } from '../src/domain/delivery/oracle-presence.js';

const MAIN = asMeterId('00'.repeat(16));
const [ORACLE, SECOND] = [1, 2].map((byte) => asPublicKeyText(new Uint8Array(32).fill(byte))) as [
  PublicKeyText,
  PublicKeyText,
];
const STRANGER = asPublicKeyText(new Uint8Array(32).fill(9));
function watch({ isHeard = true, strangers = [] as (typeof STRANGER)[], oracles = [ORACLE], threshold = 1 } = {}) {
  const clock = new VirtualClock();
  const state = { acknowledged: 0n, isWaiting: true };
  const presence = new OraclePresence({ clock, oracles, threshold });
  const acks = new AckWatch({
    clock,
    acks: { acknowledged: () => state.acknowledged },
    presence,
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
  return { clock, acks, presence, state, pass };
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

describe('an oracle that says it is offline', () => {
  test('is named after a minute with the time, in place of the silence that it explains', async () => {
    const { clock, acks, presence, pass } = watch();
    presence.heard(ORACLE, true);
    await pass(UNACKNOWLEDGED_MS);
    expect(acks.problems()).toEqual([expect.stringMatching(/^nothing of main was ever acknowledged/)]);
    const since = new Date(clock.nowMs()).toISOString().slice(0, 16).replace('T', ' ');
    presence.heard(ORACLE, false);
    await pass(OFFLINE_MS);
    expect(acks.problems()).toEqual([expect.stringMatching(/^nothing of main was ever acknowledged/)]);
    // A retained status that comes again does not begin the time again.
    presence.heard(ORACLE, false);
    await pass(1);
    const words = `oracle ${ORACLE} is offline since ${since} UTC: its operator has to start it or to mend its connection`;
    expect(acks.problems()).toEqual([words]);
    await pass(2_000, false);
    expect(acks.problems()).toEqual([]);
    await pass(2_000);
    expect(acks.problems()).toEqual([words]);
    presence.heard(ORACLE, true);
    expect(acks.problems()).toEqual([]);
  });

  test('may have gone earlier where the gateway did not hear it go', async () => {
    const { acks, presence, pass } = watch();
    presence.heard(ORACLE, false);
    await pass(OFFLINE_MS + 1);
    expect(acks.problems()).toEqual([expect.stringMatching(/ is offline since [-\d]{10} \d\d:\d\d UTC or earlier: /)]);
    presence.heard(ORACLE, true);
    presence.disconnected();
    presence.heard(ORACLE, false);
    await pass(OFFLINE_MS + 1);
    expect(acks.problems()).toEqual([expect.stringContaining(' UTC or earlier: ')]);
  });

  test('does not explain the silence of those that are there, and an unknown oracle is no news', async () => {
    const { acks, presence, pass } = watch({ oracles: [ORACLE, SECOND] });
    presence.heard(SECOND, false);
    for (let byte = 3; byte < 200; byte++) presence.heard(asPublicKeyText(new Uint8Array(32).fill(byte)), false);
    await pass(UNACKNOWLEDGED_MS);
    expect(acks.problems()).toEqual([
      expect.stringContaining(`oracle ${SECOND} is offline`),
      expect.stringMatching(/^nothing of main was ever acknowledged/),
    ]);
    const both = watch({ oracles: [ORACLE, SECOND], threshold: 2 });
    both.presence.heard(SECOND, false);
    await both.pass(UNACKNOWLEDGED_MS);
    expect(both.acks.problems()).toEqual([expect.stringContaining(`oracle ${SECOND} is offline`)]);
  });
});
