import { randomBytes } from 'node:crypto';
import type { Readable } from 'node:stream';
import { base58Encode, formatTopic } from '@gridtokenx/protocol';
import type { Logger } from '@gridtokenx/runtime/core';
import { BoundedLog, LOG_LIMITS } from '@gridtokenx/runtime/node';
import { until } from '@gridtokenx/testing-kit/until';
import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import mqtt, { type MqttClient } from 'mqtt';
import { describe, expect, it } from 'vitest';
import { GATEWAY_FILTERS, gateway, gatewayName, neighbour, neighbourReading, oracle, reading, status } from './cast.js';
import { closed, connect, nextMessage, optionsFor, rawClient, returnCodeOf, tokenFor } from './harness.js';
import { Limited } from './limited.js';

const broker = new Limited();
const sizes = () => broker.fixture.server.sizes;

describe('sessions and tokens', () => {
  it('refuses a token the second time, also under another session', async () => {
    await broker.start();
    const password = tokenFor(gateway, gatewayName, Date.now());
    const first = await connect(broker.fixture, optionsFor(gateway, { password }));
    expect(await returnCodeOf(broker.fixture, optionsFor(gateway, { password }))).toBe(4);
    // The thief did not end the session of the owner.
    await first.publishAsync(reading, 'x', { qos: 1 });
    await first.endAsync();
    expect(await returnCodeOf(broker.fixture, optionsFor(gateway, { password }))).toBe(4);
    expect(await broker.fixture.figure('gtx_broker_refused_total', { reason: 'used_token' })).toBe(2);
    // Control: a new token is good.
    expect(await returnCodeOf(broker.fixture, optionsFor(gateway))).toBe(0);
  });

  it('bounds sign-ins of a key by time, and not those of its neighbour', async () => {
    const clock = new VirtualClock({ startAtMs: Date.now() });
    await broker.start({ signInsPerMinute: 10 }, clock);
    const codes: number[] = [];
    for (let i = 0; i < 12; i++)
      codes.push(await returnCodeOf(broker.fixture, optionsFor(gateway, { nowMs: clock.nowMs() })));
    expect(codes).toEqual([...Array(10).fill(0), 3, 3]);
    expect(await returnCodeOf(broker.fixture, optionsFor(neighbour, { nowMs: clock.nowMs() }))).toBe(0);
    clock.advanceNow(6_001);
    expect(await returnCodeOf(broker.fixture, optionsFor(gateway, { nowMs: clock.nowMs() }))).toBe(0);
  });

  it("ends an oracle's oldest session above eight", async () => {
    await broker.start();
    const name = base58Encode(oracle.publicKey);
    const clients: MqttClient[] = [];
    for (let i = 0; i < 10; i++)
      clients.push(await connect(broker.fixture, optionsFor(oracle, { clientId: `${name}/${i}` })));
    await until('two have gone', () => clients.filter(({ connected }) => !connected).length === 2);
    expect(clients.map(({ connected }) => connected)).toEqual([false, false, ...Array(8).fill(true)]);
    expect(sizes().sessions).toBe(8);
  });

  it('refuses a will that is longer than a status', async () => {
    await broker.start();
    const will = (length: number) => ({
      topic: status,
      payload: Buffer.alloc(length, 32),
      qos: 1 as const,
      retain: true,
    });
    expect(await returnCodeOf(broker.fixture, optionsFor(gateway, { will: will(8_193) }))).toBe(5);
    expect(await returnCodeOf(broker.fixture, optionsFor(gateway, { will: will(8_192) }))).toBe(0);
  });
});

describe('retained messages', () => {
  it('keeps one status of a gateway however often it changes, and none that is too long', async () => {
    await broker.start();
    const client = await connect(broker.fixture, optionsFor(gateway));
    for (let i = 0; i < 200; i++) await client.publishAsync(status, `${i}`.padEnd(500), { qos: 1, retain: true });
    expect(sizes()).toMatchObject({ retained: 1, retainedBytes: status.length + 500 });
    const ended = closed(client);
    client.publish(status, Buffer.alloc(8_193), { qos: 1, retain: true });
    await ended;
    expect(sizes().retained).toBe(1);
  });

  it('keeps acks for listed gateways only, passes all of them on, and drops what is retained of a key that is gone', async () => {
    await broker.start();
    const client = await connect(broker.fixture, optionsFor(oracle));
    const ackFor = (to: Uint8Array) => formatTopic({ kind: 'ack', gateway: to, oracle: oracle.publicKey });
    for (let i = 0; i < 100; i++) await client.publishAsync(ackFor(randomBytes(32)), 'a', { qos: 1, retain: true });
    expect(sizes().retained).toBe(0);
    await client.publishAsync(ackFor(gateway.publicKey), 'a', { qos: 1, retain: true });
    expect(sizes().retained).toBe(1);
    broker.fixture.keys.remove(gateway);
    expect(sizes().retained).toBe(0);
    broker.fixture.keys.set(gateway, 'gateway');
    const reader = await connect(broker.fixture, optionsFor(gateway));
    const seen: string[] = [];
    reader.on('message', (_topic, payload) => seen.push(payload.toString()));
    await reader.subscribeAsync(GATEWAY_FILTERS[0] ?? '', { qos: 1 });
    const next = nextMessage(reader);
    await client.publishAsync(ackFor(gateway.publicKey), 'new', { qos: 1 });
    await next;
    expect(seen).toEqual(['new']);
  });

  it('passes on without keeping when there is no more room', async () => {
    await broker.start({ retained: 2 });
    const client = await connect(broker.fixture, optionsFor(oracle));
    for (const to of [gateway, neighbour]) {
      const topic = formatTopic({ kind: 'ack', gateway: to.publicKey, oracle: oracle.publicKey });
      await client.publishAsync(topic, 'a', { qos: 1, retain: true });
    }
    const name = formatTopic({ kind: 'oracle-status', oracle: oracle.publicKey });
    await client.publishAsync(name, '{}', { qos: 1, retain: true });
    expect(sizes().retained).toBe(2);
    expect(await broker.fixture.figure('gtx_broker_refused_total', { reason: 'retained_full' })).toBe(1);
  });
});

describe('slow readers', () => {
  it('ends a gateway that does not read, and holds up nobody', async () => {
    // So long that it is not the deadline that ends this session.
    await broker.start({
      drainSeconds: 600,
      outgoingBytes: 262_144,
      messagesPerSecond: 100_000,
      messageBurst: 100_000,
      byteBurst: 1e9,
    });
    const stuck = await connect(broker.fixture, optionsFor(gateway));
    await stuck.subscribeAsync(GATEWAY_FILTERS[0] ?? '', { qos: 1 });
    (stuck.stream as unknown as Readable).pause();
    const sender = await connect(broker.fixture, optionsFor(oracle));
    sender.stream.setMaxListeners(0);
    const topic = formatTopic({ kind: 'ack', gateway: gateway.publicKey, oracle: oracle.publicKey });
    for (let i = 0; i < 600; i++) await sender.publishAsync(topic, Buffer.alloc(30_000), { qos: 1 });
    expect(await broker.fixture.figure('gtx_broker_sessions_ended_total', { reason: 'slow_reader' })).toBe(1);
  });
});

describe('lines', () => {
  /** A broker whose lines are bounded as those of the process are. */
  function bounded(): { log: Logger; bytes: () => number; endPeriod: () => void } {
    let task = () => {};
    let total = 0;
    const sink = (fields: object, message: string) => {
      total += JSON.stringify({ fields, message }).length + 100;
    };
    const sinks = { debug: sink, info: sink, warn: sink, error: sink };
    const after = (_ms: number, next: () => void) => {
      task = next;
    };
    const log = new BoundedLog(sinks, after, { limits: LOG_LIMITS, isWritten: () => true });
    return { log, bytes: () => total, endPeriod: () => task() };
  }

  it('stay small whatever a stranger and a hostile gateway do', async () => {
    await broker.start({ signInsPerMinute: 100_000, pendingPerAddress: 10_000, pendingConnections: 10_000 });
    // Fewer than the tokens that are remembered: all of them may begin in one second.
    const count = 200;
    for (let i = 0; i < count; i++) {
      await returnCodeOf(broker.fixture, optionsFor(gateway, { password: randomBytes(180) }));
      const client = mqtt.connect(`mqtt://127.0.0.1:${broker.fixture.port}`, optionsFor(gateway));
      client.on('error', () => {});
      await new Promise<void>((resolve) => client.once('connect', () => resolve()));
      client.publish(neighbourReading, 'x');
      await closed(client);
      const socket = await rawClient(broker.fixture);
      socket.write(randomBytes(100));
      socket.destroy();
    }
    // Control: without the bound this is one line, or more, for each.
    expect(broker.fixture.lines.length).toBeGreaterThan(2 * count);
    const { log, bytes, endPeriod } = bounded();
    for (const { level, fields, message } of broker.fixture.lines) log[level as 'info' | 'warn'](fields, message);
    endPeriod();
    expect(bytes()).toBeLessThan(40_000);
  });
});
