// Reported in yaacov/node-modbus-serial #535: a server closes a connection that carried nothing for 10 s. Others forget
// the connection without a word. With a poll each minute every second poll was lost.
import { quietLog } from '@gridtokenx/testing-kit/quiet-log';
import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { describe, expect, test } from 'vitest';
import { makeClient } from '../../../src/adapters/modbus/library.js';
import { Bus } from '../../../src/domain/bus/bus.js';
import { withCrc } from '../../../src/domain/bus/crc.js';
import { RtuFraming, TcpFraming } from '../../../src/domain/bus/framing.js';
import { rawNetworkSpeed, tcpSpeed } from '../../../src/domain/bus/line.js';
import { toMbap } from '../../../src/domain/bus/mbap.js';
import { busProblems, busView } from '../../../src/domain/bus/messages.js';
import { LineGone } from '../../../src/domain/bus/ports.js';
import { ReplyQuarantine, USUAL_RULES } from '../../../src/domain/bus/reply-quarantine.js';
import { FieldCase } from '../../support/field-case.js';
import { profileMeter } from '../../support/profile-meter.js';

const field = new FieldCase();
const PERIOD_MS = 60_000;

/**
 * A server on a virtual clock that drops a connection after `idleMs` without a request. `how`: it closes the connection and
 * the gateway learns that at once or at its next request, or it never says a word.
 */
function setUp(how: 'told' | 'untold' | 'silent', idleMs = 10_000, isRaw = false) {
  const time = new VirtualClock();
  const state = { connects: 0, requests: 0, isOff: false };
  const open = async () => {
    state.connects++;
    let [usedAtMs, input, isGone, arrived] = [time.monotonicMs(), new Uint8Array(0), false, () => {}];
    const isIdle = () => time.monotonicMs() - usedAtMs >= idleMs;
    let cancel = () => {};
    const watch = () => {
      cancel();
      cancel = time.after(idleMs, () => {
        isGone = how !== 'silent';
        if (how === 'told') arrived();
      });
    };
    watch();
    return {
      async write(request: Uint8Array) {
        state.requests++;
        if (state.isOff || isIdle()) return;
        usedAtMs = time.monotonicMs();
        watch();
        const [high = 0, low = 0] = request;
        const [unit = 0, fn = 0] = request.subarray(isRaw ? 0 : 6);
        const frame = withCrc(Uint8Array.of(unit, fn, 4, 0, 0, 0, 7));
        time.after(20, () => {
          input = new Uint8Array(isRaw ? frame : toMbap(256 * high + low, frame));
          arrived();
        });
      },
      read() {
        if (isGone) throw new LineGone('the peer closed the connection');
        const bytes = input;
        input = new Uint8Array(0);
        return bytes;
      },
      onArrival(call: () => void) {
        arrived = call;
      },
      async close() {
        cancel();
      },
    };
  };
  const bus = new Bus({
    ...{ log: quietLog, name: 'lan', open, makeClient, clock: time, shapes: isRaw },
    speed: isRaw ? rawNetworkSpeed : tcpSpeed,
    quarantine: new ReplyQuarantine(USUAL_RULES),
    random: { bytes: (n) => new Uint8Array(n), fraction: () => 0 },
    makeFraming: (quarantine) => (isRaw ? new RtuFraming(quarantine) : new TcpFraming(quarantine, false, 1)),
    ...{ requestMs: 1_000, connectMs: 1_000, minTimeoutMs: 500, restMs: 0 },
  });
  const poll = async () => {
    const read = bus.read(1, 4, [{ address: 0, count: 2 }], { periodMs: PERIOD_MS }).then(
      ({ data }) => data[3] ?? null,
      () => null,
    );
    await time.advance(PERIOD_MS);
    return read;
  };
  return { time, bus, state, poll };
}

describe.each(['told', 'untold', 'silent'] as const)('a server that drops idle connections (%s)', (how) => {
  test('loses no poll, shows no problem, and is learnt', async () => {
    const { bus, poll, time, state } = setUp(how);
    for (let polls = 0; polls < 30; polls++) expect(await poll()).toBe(7);
    expect(busProblems(bus, time.monotonicMs())).toEqual([]);
    expect(bus.stats.counts.timeouts).toBe(0);
    expect(state.connects).toBe(30);
    // Only the first connection was found dead by a request.
    expect(state.requests).toBe(how === 'silent' ? 31 : 30);
    const limitMs = Number(busView(bus, 0).idle_limit_ms);
    expect(limitMs).toBeGreaterThan(9_000);
    expect(limitMs).toBeLessThanOrEqual(PERIOD_MS);
  });

  test('keeps a connection that is used in time', async () => {
    const { poll, state } = setUp(how, 120_000);
    for (let polls = 0; polls < 10; polls++) expect(await poll()).toBe(7);
    expect(state.connects).toBe(1);
  });
});

test.each(['told', 'untold'] as const)(
  'a converter of raw frames that closes idle connections (%s) loses no poll',
  async (how) => {
    const { bus, poll, time } = setUp(how, 10_000, true);
    // There is one length only: a request that was not sent keeps it free.
    for (let polls = 0; polls < 10; polls++) expect(await poll()).toBe(7);
    expect(busProblems(bus, time.monotonicMs())).toEqual([]);
  },
);

test('a meter that is off is asked once more on a new connection, and then fails as before', async () => {
  const { bus, poll, state, time } = setUp('silent', 1_000_000);
  expect(await poll()).toBe(7);
  state.isOff = true;
  expect(await poll()).toBeNull();
  expect([state.requests, state.connects]).toEqual([3, 2]);
  expect(await poll()).toBeNull();
  expect([state.requests, bus.stats.counts.timeouts]).toEqual([4, 2]);
  expect(busView(bus, 0).idle_limit_ms).toBeNull();
  for (let polls = 0; polls < 3; polls++) await poll();
  expect(busProblems(bus, time.monotonicMs())).toEqual([
    expect.stringMatching(
      /^lan, unit 1: silent for \d+ s; the connection is open, but no unit answers: is the unit number right/,
    ),
  ]);
  expect(busProblems(bus, time.monotonicMs()).join()).not.toMatch(/wire/);
});

test('over a real connection: a server that closes after each answer is read in every poll', async () => {
  const device = await field.device({
    meter: profileMeter('eastron-sdm630'),
    accepted: (socket) => void socket.once('data', () => setImmediate(() => socket.end())),
  });
  const { reader, bus } = field.open(device.port, { profile: 'eastron-sdm630' });
  for (let polls = 0; polls < 5; polls++) {
    expect(await reader.read()).toMatchObject({ importWh: 1_234_560n, powerW: 1_230 });
    await expect.poll(() => device.sockets.every(({ closed }) => closed)).toBe(true);
  }
  expect(bus.stats.counts).toMatchObject({ timeouts: 0, connect_errors: 0 });
  expect(busProblems(bus, 0)).toEqual([]);
});
