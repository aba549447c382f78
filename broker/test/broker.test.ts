import { once } from 'node:events';
import { connect as tcpConnect } from 'node:net';
import { base58Encode } from '@gridtokenx/protocol';
import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { generate } from 'mqtt-packet';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  ack,
  enrol,
  gateway,
  gatewayName,
  neighbour,
  neighbourReading,
  operator,
  oracle,
  reading,
  status,
} from './cast.js';
import {
  closed,
  connect,
  endAll,
  type Fixture,
  nextMessage,
  optionsFor,
  returnCodeOf,
  signerOf,
  startFixture,
  tokenFor,
} from './harness.js';

let fixture: Fixture;
afterEach(async () => {
  endAll();
  await fixture.close();
});

describe('sign-in', () => {
  beforeEach(async () => {
    fixture = await startFixture();
    enrol(fixture);
  });
  const stranger = signerOf('stranger');
  const cases: [string, () => Parameters<typeof returnCodeOf>[1], number, string | null][] = [
    ['its key and a fresh token', () => optionsFor(gateway), 0, null],
    ['a suffix after the key', () => optionsFor(gateway, { clientId: `${gatewayName}/2` }), 0, null],
    ['a session that is to be kept', () => optionsFor(gateway, { clean: false }), 0, null],
    ['no credentials', () => ({ clientId: 'x', protocolVersion: 4, reconnectPeriod: 0 }), 4, 'no_credentials'],
    ['a user name that is no key', () => optionsFor(gateway, { username: 'admin' }), 4, 'bad_user_name'],
    ['an unknown key', () => optionsFor(stranger), 5, 'unknown_key'],
    [
      "another gateway's client id",
      () => optionsFor(gateway, { clientId: base58Encode(neighbour.publicKey) }),
      2,
      'foreign_client_id',
    ],
    [
      'a client id that only begins alike',
      () => optionsFor(gateway, { clientId: `${gatewayName}x` }),
      2,
      'foreign_client_id',
    ],
    [
      "another key's token",
      () => optionsFor(gateway, { password: tokenFor(neighbour, gatewayName, Date.now()) }),
      4,
      'bad_token',
    ],
    [
      'a token for another client id',
      () => optionsFor(gateway, { password: tokenFor(gateway, `${gatewayName}/9`, Date.now()) }),
      4,
      'bad_token',
    ],
    [
      'a token for another broker',
      () => optionsFor(gateway, { password: tokenFor(gateway, gatewayName, Date.now(), { broker: 'else' }) }),
      2,
      'other_broker',
    ],
    ['an expired token', () => optionsFor(gateway, { nowMs: Date.now() - 4_000_000 }), 4, 'wrong_time'],
    ['a token of the future', () => optionsFor(gateway, { nowMs: Date.now() + 200_000 }), 4, 'wrong_time'],
    [
      "another key's token for another broker",
      () => optionsFor(gateway, { password: tokenFor(neighbour, gatewayName, Date.now(), { broker: 'else' }) }),
      4,
      'bad_token',
    ],
    ['a password that is no token', () => optionsFor(gateway, { password: Buffer.from('secret') }), 4, 'bad_token'],
    [
      'a will on a stream',
      () => optionsFor(gateway, { will: { topic: reading, payload: Buffer.from('x'), qos: 1, retain: false } }),
      5,
      'will_not_allowed',
    ],
    [
      "a will on another's status",
      () => optionsFor(neighbour, { will: { topic: status, payload: Buffer.from('x'), qos: 1, retain: true } }),
      5,
      'will_not_allowed',
    ],
  ];
  it.each(cases)('%s', async (_name, options, code, reason) => {
    expect(await returnCodeOf(fixture, options())).toBe(code);
    if (reason) {
      expect(await fixture.figure('gtx_broker_refused_total', { reason })).toBe(1);
      expect(fixture.lines.some((line) => line.level === 'warn' && line.fields.reason === reason)).toBe(true);
    }
  });

  it('refuses a revoked key', async () => {
    fixture.keys.set(gateway, 'gateway', 'revoked');
    expect(await returnCodeOf(fixture, optionsFor(gateway))).toBe(5);
    expect(await fixture.figure('gtx_broker_refused_total', { reason: 'revoked_key' })).toBe(1);
  });

  it('refuses an empty client id with the code for it', async () => {
    const socket = tcpConnect(fixture.port, '127.0.0.1');
    const password = tokenFor(gateway, '', Date.now());
    socket.write(
      generate({
        cmd: 'connect',
        clientId: '',
        clean: true,
        username: gatewayName,
        password,
        keepalive: 9,
        protocolId: 'MQTT',
        protocolVersion: 4,
      }),
    );
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect([...answer]).toEqual([0x20, 2, 0, 2]);
    socket.destroy();
  });

  it('never logs the password', async () => {
    const password = tokenFor(neighbour, gatewayName, Date.now());
    await returnCodeOf(fixture, optionsFor(gateway, { password }));
    const text = JSON.stringify(fixture.lines);
    expect(text).not.toContain(password.toString('base64'));
    expect(text).not.toContain(password.toString('hex'));
  });
});

describe('rules', () => {
  beforeEach(async () => {
    fixture = await startFixture();
    enrol(fixture);
  });

  it('carries a reading to the oracle and its ack back', async () => {
    const reader = await connect(fixture, optionsFor(oracle));
    await reader.subscribeAsync('gtx/v1/+/+/reading', { qos: 1 });
    const sender = await connect(fixture, optionsFor(gateway));
    await sender.subscribeAsync(`gtx/v1/${gatewayName}/ack/+`, { qos: 1 });
    const arrived = nextMessage(reader);
    await sender.publishAsync(reading, Buffer.from('r'), { qos: 1 });
    expect(await arrived).toMatchObject({ topic: reading, payload: Buffer.from('r') });
    const answered = nextMessage(sender);
    await reader.publishAsync(ack, Buffer.from('a'), { qos: 1, retain: true });
    expect(await answered).toMatchObject({ topic: ack, payload: Buffer.from('a') });
  });

  it('keeps a retained status and replaces it by the will', async () => {
    const will = { topic: status, payload: Buffer.from('off'), qos: 1 as const, retain: true };
    const sender = await connect(fixture, optionsFor(gateway, { will }));
    await sender.publishAsync(status, Buffer.from('on'), { qos: 1, retain: true });
    const first = await connect(fixture, optionsFor(oracle));
    const seen = nextMessage(first);
    await first.subscribeAsync('gtx/v1/+/status', { qos: 1 });
    expect(await seen).toMatchObject({ topic: status, payload: Buffer.from('on'), retain: true });
    const next = nextMessage(first);
    sender.stream.destroy();
    expect(await next).toMatchObject({ topic: status, payload: Buffer.from('off') });
    const late = await connect(fixture, optionsFor(operator));
    const kept = nextMessage(late);
    await late.subscribeAsync('gtx/v1/+/status', { qos: 1 });
    expect(await kept).toMatchObject({ payload: Buffer.from('off'), retain: true });
  });

  it.each([
    ["another gateway's stream", neighbourReading, false],
    ['a retained reading', reading, true],
    ['an ack', ack, true],
    ['a topic of nobody', 'hello', false],
    ["the broker's own topics", '$SYS/x', false],
  ])('closes the connection of a gateway that publishes on %s', async (_name, topic, retain) => {
    const reader = await connect(fixture, optionsFor(oracle));
    await reader.subscribeAsync('gtx/v1/+/+/reading', { qos: 1 });
    const seen: string[] = [];
    reader.on('message', (got) => seen.push(got));
    const sender = await connect(fixture, optionsFor(gateway));
    const ended = closed(sender);
    sender.publish(topic, Buffer.from('x'), { qos: 1, retain });
    await ended;
    expect(await fixture.figure('gtx_broker_refused_total', { reason: 'publish_not_allowed' })).toBe(1);
    expect(fixture.lines.some((line) => line.fields.key === gatewayName && /publish outside/.test(line.message))).toBe(
      true,
    );
    // Control: what is allowed arrives on the same path, and it is the only thing that did.
    const again = await connect(fixture, optionsFor(gateway));
    const arrived = nextMessage(reader);
    await again.publishAsync(reading, Buffer.from('y'), { qos: 1 });
    await arrived;
    expect(seen).toEqual([reading]);
  });

  it('refuses subscriptions outside the list and goes on', async () => {
    const reader = await connect(fixture, optionsFor(gateway));
    await expect(reader.subscribeAsync('#', { qos: 1 })).rejects.toThrow();
    const answer = await reader.subscribeAsync(`gtx/v1/${gatewayName}/command`, { qos: 1 });
    expect(answer[0]?.qos).toBe(1);
    expect(await fixture.figure('gtx_broker_refused_total', { reason: 'subscribe_not_allowed' })).toBe(1);
  });

  it('lets the newer session of a gateway replace the older one, whatever the suffix', async () => {
    const first = await connect(fixture, optionsFor(gateway, { clientId: `${gatewayName}/1` }));
    const ended = closed(first);
    const second = await connect(fixture, optionsFor(gateway, { clientId: `${gatewayName}/2` }));
    await ended;
    expect(second.connected).toBe(true);
    expect(await fixture.figure('gtx_broker_clients')).toBe(1);
  });

  it('ends the session of a key that is revoked or gone, and of no other', async () => {
    const a = await connect(fixture, optionsFor(gateway));
    const b = await connect(fixture, optionsFor(neighbour));
    const c = await connect(fixture, optionsFor(oracle));
    const ended = [closed(a), closed(b)];
    fixture.keys.set(gateway, 'gateway', 'revoked');
    fixture.keys.remove(neighbour);
    await Promise.all(ended);
    expect(c.connected).toBe(true);
    expect(await fixture.figure('gtx_broker_sessions_ended_total', { reason: 'revoked' })).toBe(2);
    expect(await fixture.figure('gtx_broker_clients')).toBe(1);
  });
});

it("ends a session at its token's expiry and not before", async () => {
  const clock = new VirtualClock({ startAtMs: Date.now() });
  fixture = await startFixture({ clock });
  enrol(fixture);
  const nowMs = clock.nowMs();
  const expiry = Math.floor(nowMs / 1000) + 100;
  const password = tokenFor(gateway, gatewayName, nowMs, { expiry });
  const client = await connect(fixture, optionsFor(gateway, { password }));
  const other = await connect(fixture, optionsFor(neighbour, { nowMs }));
  clock.advanceNow(expiry * 1000 - nowMs - 1);
  await client.publishAsync(reading, Buffer.from('x'), { qos: 1 });
  const ended = closed(client);
  clock.advanceNow(1);
  await ended;
  expect(other.connected).toBe(true);
  expect(await fixture.figure('gtx_broker_sessions_ended_total', { reason: 'expired' })).toBe(1);
});
