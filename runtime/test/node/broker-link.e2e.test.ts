import { formatTopic, subscriptions } from '@gridtokenx/protocol';
import { certificateRoom, mayMakeCertificates, openFiles } from '@gridtokenx/testing-kit/certificates';
import { until } from '@gridtokenx/testing-kit/until';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  BROKER,
  connect,
  endAll,
  type Fixture,
  nextMessage,
  optionsFor,
  signerOf,
  startFixture,
} from '../../../broker/test/harness.js';
import { type Clock, silentLogger } from '../../src/core/index.js';
import { BrokerLink, dialTls, openSession, systemClock, systemRandom } from '../../src/node/index.js';

const gateway = signerOf('gateway');
const oracle = signerOf('oracle');
const statusTopic = formatTopic({ kind: 'gateway-status', gateway: gateway.publicKey });
const ackTopic = formatTopic({ kind: 'ack', gateway: gateway.publicKey, oracle: oracle.publicKey });
const room = certificateRoom();
let fixture: Fixture;
let stop: AbortController;
let running: Promise<void> | null;
let got: string[];

beforeEach(async () => {
  [stop, running, got] = [new AbortController(), null, []];
  fixture = await startFixture();
  fixture.keys.set(gateway, 'gateway');
  fixture.keys.set(oracle, 'oracle');
});
afterEach(async () => {
  stop.abort();
  await running;
  endAll();
  await fixture.close();
});

function start(change: Partial<ConstructorParameters<typeof BrokerLink>[0]> = {}): BrokerLink {
  const link = new BrokerLink({
    url: `mqtt://127.0.0.1:${fixture.port}`,
    broker: BROKER,
    signer: gateway,
    clock: systemClock,
    random: systemRandom,
    open: openSession,
    log: silentLogger,
    subscriptions: subscriptions.gateway(gateway.publicKey),
    status: { topic: statusTopic, text: (online, session) => JSON.stringify({ online, session }) },
    onMessage: (topic, payload) => void got.push(`${topic} ${Buffer.from(payload).toString()}`),
    ...change,
  });
  running = link.run(stop.signal);
  return link;
}
const connected = (link: BrokerLink) => until('connected', () => link.isConnected);

describe('with the real broker', () => {
  test('signs in, takes retained messages, publishes, and leaves its status behind', async () => {
    const watcher = await connect(fixture, optionsFor(oracle));
    await watcher.subscribeAsync(subscriptions.oracle(), { qos: 1 });
    await watcher.publishAsync(ackTopic, 'all of them', { qos: 1, retain: true });
    const here = nextMessage(watcher);
    const link = start();
    await connected(link);
    expect(JSON.parse(String((await here).payload))).toMatchObject({ online: true });
    await until('the retained ack came', () => got.includes(`${ackTopic} all of them`));
    const gone = nextMessage(watcher);
    stop.abort();
    await running;
    expect(JSON.parse(String((await gone).payload))).toMatchObject({ online: false });
    await until('only the watcher is left', () => fixture.server.sizes.sessions === 1);
    expect(fixture.lines.filter(({ level }) => level !== 'info')).toEqual([]);
  });

  test('comes again with a new token when the broker ends the session', async () => {
    const link = start();
    await connected(link);
    fixture.keys.set(gateway, 'gateway', 'revoked');
    await until('ended', () => link.problem?.startsWith('the broker refused the sign-in: ') ?? false);
    expect(link.problem).toMatch(/it does not list the key \w+, or the key is revoked: the utility adds it/);
    fixture.keys.set(gateway, 'gateway');
    await connected(link);
    expect(await fixture.figure('gtx_broker_refused_total', { reason: 'used_token' })).toBe(0);
  });

  test('publishes its will when the connection breaks', async () => {
    const watcher = await connect(fixture, optionsFor(oracle));
    const link = start();
    await connected(link);
    await watcher.subscribeAsync(subscriptions.oracle(), { qos: 1 });
    const seen: unknown[] = [];
    watcher.on(
      'message',
      (_topic, payload) => void seen.push((JSON.parse(String(payload)) as { online: boolean }).online),
    );
    link.drop();
    await until(
      'offline, then online again',
      () => seen.includes(false) && seen.lastIndexOf(true) > seen.indexOf(false),
    );
  });

  test("tells a gateway that an oracle's connection broke, and that it was gone before", async () => {
    const topic = formatTopic({ kind: 'oracle-status', oracle: oracle.publicKey });
    const will = { topic, payload: Buffer.from('{"online":false}'), qos: 1 as const, retain: true };
    const other = await connect(fixture, { ...optionsFor(oracle), will });
    const link = start();
    await connected(link);
    other.stream.destroy();
    await until('the will came', () => got.includes(`${topic} {"online":false}`));
    got.length = 0;
    link.drop();
    await until('the retained will came', () => got.includes(`${topic} {"online":false}`));
  });

  test('rejects what was on the way when the session ends, and what the broker refuses to let be subscribed', async () => {
    const link = start();
    await connected(link);
    const foreign = link.publish('gtx/v1/foreign', 'x').catch((error: Error) => error.message);
    expect(await foreign).toMatch(/closed/);
    stop.abort();
    await running;
    stop = new AbortController();
    const other = start({ subscriptions: [...subscriptions.gateway(gateway.publicKey), 'gtx/v1/#'] });
    await until('refused', () => other.problem?.startsWith('no connection to the broker: ') ?? false);
    expect(other.problem).toBe('no connection to the broker: the broker refused the subscription gtx/v1/#');
  });

  const shifted = (ms: number): Clock => ({
    nowMs: () => systemClock.nowMs() + ms,
    monotonicMs: () => systemClock.monotonicMs(),
    after: (delayMs, task) => systemClock.after(delayMs, task),
  });
  const hours = 3_600_000;
  test.each<[string, Partial<ConstructorParameters<typeof BrokerLink>[0]>, RegExp]>([
    ['another name of the broker', { broker: 'else' }, /: its name is not "else": correct broker\.name/],
    [
      'a clock that is behind',
      { clock: shifted(-2 * hours) },
      /: the time of the sign-in is wrong: .* differs from the broker's clock/,
    ],
    [
      'a clock that is ahead',
      { clock: shifted(2 * hours) },
      /is wrong: \d{4}-\d\d-\d\d [\d:]{8} UTC here differs .*: set the clock/,
    ],
    [
      'a key that is not listed',
      { signer: signerOf('stranger') },
      /: it does not list the key \w{32,44}, or the key is rev/,
    ],
  ])('names %s, each with its own words', async (_name, change, words) => {
    const link = start(change);
    await until('refused', () => link.state === 'waiting');
    expect(link.problem).toMatch(/^the broker refused the sign-in: [^\n]*$/);
    expect(link.problem).toMatch(words);
  });

  test('says why there is none', async () => {
    const link = start({ url: 'mqtt://127.0.0.1:1' });
    await until('tried', () => link.state === 'waiting');
    expect(link.problem).toMatch(/^no connection to the broker: nothing listens there: .*ECONNREFUSED/);
  });
});

test.skipIf(!mayMakeCertificates)('makes no token known to a broker whose certificate is not trusted', async () => {
  const { files } = openFiles(room.issue());
  const secure = await startFixture({ certificate: files });
  secure.keys.set(gateway, 'gateway');
  try {
    const target = { host: '127.0.0.1', port: secure.port };
    const url = `mqtts://127.0.0.1:${secure.port}`;
    const stranger = start({ url, dial: () => dialTls(target, 5_000) });
    await until('tried', () => stranger.state === 'waiting');
    expect(stranger.problem).toMatch(/the certificate is not signed by an authority that is known here/);
    stop.abort();
    await running;
    expect(await secure.figure('gtx_broker_received_bytes_total')).toBe(0);
    stop = new AbortController();
    const link = start({ url, dial: () => dialTls({ ...target, caFile: room.authority.cert }, 5_000) });
    await connected(link);
    stop.abort();
    await running;
  } finally {
    await secure.close();
  }
});
