import { ed25519Signer, subscriptions } from '@gridtokenx/protocol';
import { quietLog } from '@gridtokenx/testing-kit/quiet-log';
import { until } from '@gridtokenx/testing-kit/until';
import { fixedRandom, VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BROKER, endAll, type Fixture, signerOf, startFixture } from '../../../broker/test/harness.js';
import {
  BrokerList,
  type BrokerListOptions,
  type MqttSession,
  openSession,
  RETURN_MS,
  type SessionOptions,
  systemRandom,
} from '../../src/node/index.js';

const signer = ed25519Signer(new Uint8Array(32).fill(3));
const [A, B, C] = ['mqtt://a:1', 'mqtt://b:1', 'mqtt://c:1'];
let clock: VirtualClock;
let stop: AbortController;
/** Brokers that accept sessions now. */
let up: Set<string>;
/** URL of each attempt, in order, with its time in ms. */
let attempts: [string, number][];
let ends: ((reason: string) => void)[];
let statuses: string[];

const fakeSession = (url: string): MqttSession => {
  let end: (reason: string) => void = () => {};
  const ended = new Promise<string>((resolve) => {
    end = resolve;
  });
  ends.push(end);
  return {
    ended,
    subscribe: async () => {},
    publish: async (_topic, payload) => void statuses.push(`${url} ${payload}`),
    close: async () => end('stopped'),
    abort: () => end('aborted'),
  };
};

beforeEach(() => {
  clock = new VirtualClock({ startAtMs: 1_800_000_000_000 });
  stop = new AbortController();
  [up, attempts, ends, statuses] = [new Set(), [], [], []];
});

function listOf(urls: readonly string[], change: Partial<BrokerListOptions> = {}) {
  const list = new BrokerList({
    brokers: urls.map((url) => ({ url, broker: `name of ${url}` })),
    ...{ signer, clock, random: fixedRandom(1, 0.5), log: quietLog, subscriptions: ['a'], onMessage: () => {} },
    status: { topic: 'status', text: (isOnline) => (isOnline ? 'online' : 'offline') },
    open: async (url: string, _options: SessionOptions) => {
      attempts.push([url, clock.monotonicMs()]);
      if (up.has(url)) return fakeSession(url);
      throw new Error('down');
    },
    ...change,
  });
  const running = list.run(stop.signal);
  return { list, running };
}
const tried = () => attempts.map(([url]) => url);

describe('a list of brokers', () => {
  test('of one keeps to it for ever', async () => {
    const { list, running } = listOf([A]);
    await clock.advance(600_000);
    expect(new Set(tried())).toEqual(new Set([A]));
    expect(list.problem).toBe('no connection to the broker: down');
    up.add(A);
    await clock.advance(60_000);
    expect([list.isConnected, list.problem, list.url]).toEqual([true, null, A]);
    stop.abort();
    await running;
  });

  test('goes on with the next after three failures in a row, and names the address', async () => {
    up.add(B);
    const { list, running } = listOf([A, B]);
    await clock.advance(1);
    expect(list.problem).toBe(`${A}: no connection to the broker: down`);
    await clock.advance(10_000);
    expect([tried(), list.isConnected, list.url]).toEqual([[A, A, A, B], true, B]);
    expect(statuses).toEqual([`${B} online`]);
    stop.abort();
    await running;
    expect(statuses.at(-1)).toBe(`${B} offline`);
  });

  test('stays at the first while it ends a steady session now and then', async () => {
    up.add(A).add(B);
    const { list, running } = listOf([A, B]);
    for (let i = 0; i < 5; i++) {
      await clock.advance(60_000);
      ends.at(-1)?.('closed by the broker');
    }
    await clock.advance(60_000);
    expect([new Set(tried()), list.url]).toEqual([new Set([A]), A]);
    stop.abort();
    await running;
  });

  test('leaves a broker that accepts and closes at once', async () => {
    up.add(A).add(B);
    const { list, running } = listOf([A, B]);
    for (let i = 0; i < 3; i++) {
      await clock.advance(1_000);
      ends.at(-1)?.('closed by the broker');
    }
    await clock.advance(5_000);
    expect([list.url, list.isConnected]).toEqual([B, true]);
    stop.abort();
    await running;
  });

  test('returns to the first after ten minutes, and leaves the other only once the first accepts', async () => {
    up.add(B);
    const { list, running } = listOf([A, B]);
    await clock.advance(10_000);
    await clock.advance(RETURN_MS);
    // The first was tried once more; the session at the second stayed.
    expect([tried(), list.url, list.isConnected]).toEqual([[A, A, A, B, A], B, true]);
    expect(statuses).toEqual([`${B} online`]);
    up.add(A);
    await clock.advance(RETURN_MS);
    expect([list.url, list.isConnected]).toEqual([A, true]);
    expect(statuses).toEqual([`${B} online`, `${B} offline`, `${A} online`]);
    stop.abort();
    await running;
  });

  test('goes round all of them, slower with each round, and stops at once', async () => {
    const { list, running } = listOf([A, B, C]);
    await clock.advance(20_000);
    expect(tried().slice(0, 10)).toEqual([A, A, A, B, B, B, C, C, C, A]);
    await clock.advance(3_600_000);
    const lastMinutes = attempts.filter(([, atMs]) => atMs > clock.monotonicMs() - 600_000).length;
    // Nine attempts a round, and up to 30 s of rest between two rounds.
    expect(lastMinutes).toBeLessThan(9 * 30);
    expect(lastMinutes).toBeGreaterThan(9 * 10);
    stop.abort();
    await running;
    expect(list.problem).toBeNull();
  });
});

describe('two real brokers', () => {
  const gateway = signerOf('gateway');
  let fixtures: Fixture[];
  const start = async () => {
    const fixture = await startFixture({ clock });
    fixture.keys.set(gateway, 'gateway');
    fixtures.push(fixture);
    return fixture;
  };
  beforeEach(() => {
    clock = new VirtualClock({ startAtMs: 1_800_000_000_000 });
    fixtures = [];
  });
  afterEach(async () => {
    stop.abort();
    endAll();
    for (const fixture of fixtures) await fixture.close();
  });

  test('the second takes over when the first dies, and the first again when it is back', async () => {
    const [first, second] = [await start(), await start()];
    const brokers = [first, second].map(({ port }) => ({ url: `mqtt://127.0.0.1:${port}`, broker: BROKER }));
    const list = new BrokerList({
      ...{ brokers, signer: gateway, clock, random: systemRandom, open: openSession, log: quietLog },
      subscriptions: subscriptions.gateway(gateway.publicKey),
      onMessage: () => {},
    });
    const running = list.run(stop.signal);
    /** Lets virtual time pass in steps while real sockets work. */
    const connectedTo = (url: string | undefined) =>
      until(`connected to ${url}`, async () => {
        await clock.advance(200);
        return list.isConnected && list.url === url;
      });
    await connectedTo(brokers[0]?.url);
    await first.close();
    await connectedTo(brokers[1]?.url);
    expect(list.problem).toBeNull();
    const again = await startFixture({ clock, port: first.port });
    fixtures.push(again);
    again.keys.set(gateway, 'gateway');
    await clock.advance(RETURN_MS);
    await connectedTo(brokers[0]?.url);
    expect([again.server.sizes.sessions, second.server.sizes.sessions]).toEqual([1, 0]);
    stop.abort();
    await running;
  });
});
