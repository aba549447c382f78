import { fixedRandom, VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { beforeEach, expect, test } from 'vitest';
import { silentLogger } from '../../src/core/index.js';
import { BrokerList, type MqttSession } from '../../src/node/index.js';

const HOUR_MS = 3_600_000;
/** Signs without arithmetic: nobody verifies 20,000 tokens. */
const signer = { publicKey: new Uint8Array(32).fill(3), sign: () => new Uint8Array(64) };
let clock: VirtualClock;
let stop: AbortController;
let lines: Record<string, unknown>[];
let attempts: number;
/** Says why the next attempt fails; null lets it succeed. */
let outcome: () => string | null;
/** Time after which the broker ends a session, ms; null = never. */
let lastsMs: number | null;

beforeEach(() => {
  clock = new VirtualClock({ startAtMs: 1_800_000_000_000 });
  stop = new AbortController();
  [lines, attempts, outcome, lastsMs] = [[], 0, () => null, null];
});

async function session(): Promise<MqttSession> {
  attempts++;
  const problem = outcome();
  if (problem !== null) throw new Error(problem);
  let end: (reason: string) => void = () => {};
  const ended = new Promise<string>((resolve) => {
    end = resolve;
  });
  if (lastsMs !== null) clock.after(lastsMs, () => end('closed by the broker'));
  const done = async () => {};
  return { ended, subscribe: done, publish: done, close: async () => end('stopped'), abort: () => end('aborted') };
}

function run(urls: readonly string[]) {
  const write = (fields: Record<string, unknown>) => void lines.push(fields);
  const list = new BrokerList({
    brokers: urls.map((url) => ({ url, broker: 'dev' })),
    ...{ signer, clock, random: fixedRandom(1, 0.5), subscriptions: ['a'], onMessage: () => {}, open: session },
    log: { ...silentLogger, info: write, warn: write, error: write },
  });
  const running = list.run(stop.signal);
  return async () => {
    stop.abort();
    await running;
  };
}

test('brokers that stay dead are one line each over 10,000 attempts, and one when a session lasts', async () => {
  outcome = () => `refused at ${clock.nowMs()}`;
  const ending = run(['mqtt://a', 'mqtt://b']);
  while (attempts < 10_000) await clock.advance(HOUR_MS);
  expect(lines.map(({ event, broker }) => [event, broker])).toEqual([
    ['broker_connect_failed', 'mqtt://a'],
    ['broker_connect_failed', 'mqtt://b'],
  ]);
  outcome = () => null;
  await clock.advance(120_000);
  expect(lines.slice(2)).toMatchObject([{ event: 'broker_connected', count: expect.any(Number) }]);
  expect(Number(lines[2]?.count)).toBeGreaterThan(4_900);
  expect(Number(lines[2]?.durationMs)).toBeGreaterThan(HOUR_MS);
  await ending();
});

test('a broker that accepts and closes at once, 10,000 times, is no line for each', async () => {
  lastsMs = 29_000;
  const ending = run(['mqtt://a']);
  while (attempts < 10_000) await clock.advance(HOUR_MS);
  expect(lines.map(({ event }) => event)).toEqual(['broker_connected', 'broker_connect_failed']);
  await ending();
});

test('a broker over TLS needs something that opens connections', () => {
  expect(() => run(['mqtts://a'])).toThrow('mqtts://a: nothing opens TLS connections here');
});
