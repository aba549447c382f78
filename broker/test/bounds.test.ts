import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type Socket, connect as tcpConnect } from 'node:net';
import { base58Encode, formatTopic } from '@gridtokenx/protocol';
import { BoundedLog, type Logger } from '@gridtokenx/runtime';
import mqtt, { type MqttClient } from 'mqtt';
import { generate, parser } from 'mqtt-packet';
import { afterEach, describe, expect, it } from 'vitest';
import type { Limits } from '../src/ports.js';
import {
  closed,
  connect,
  endAll,
  ManualClock,
  nextMessage,
  optionsFor,
  type Rig,
  returnCodeOf,
  signerOf,
  startRig,
  tokenFor,
  until,
} from './harness.js';

const gateway = signerOf('gateway');
const neighbour = signerOf('neighbour');
const oracle = signerOf('oracle');
const operator = signerOf('operator');
const own = base58Encode(gateway.publicKey);
const meter = new Uint8Array(16).fill(7);
const status = formatTopic({ kind: 'gateway-status', gateway: gateway.publicKey });
const reading = formatTopic({ kind: 'stream', gateway: gateway.publicKey, meter, stream: 'reading' });
const neighbourReading = formatTopic({ kind: 'stream', gateway: neighbour.publicKey, meter, stream: 'reading' });
const GATEWAY_FILTERS = [`gtx/v1/${own}/ack/+`, `gtx/v1/${own}/command`, status, 'gtx/v1/oracle/+/status'];

let rig: Rig;
const sockets: Socket[] = [];
afterEach(async () => {
  endAll();
  for (const socket of sockets.splice(0)) socket.destroy();
  await rig.close();
});

async function start(limits: Partial<Limits> = {}, clock?: ManualClock): Promise<void> {
  rig = await startRig({ limits, ...(clock ? { clock } : {}) });
  rig.keys.set(gateway, 'gateway');
  rig.keys.set(neighbour, 'gateway');
  rig.keys.set(oracle, 'oracle');
  rig.keys.set(operator, 'operator');
}
const sizes = () => rig.server.sizes;

/** A client that writes packets as bytes, signed in as the gateway. */
async function raw(signIn = true): Promise<Socket> {
  const socket = tcpConnect(rig.port, '127.0.0.1');
  sockets.push(socket);
  socket.on('error', () => {});
  await once(socket, 'connect');
  if (!signIn) return socket;
  const password = tokenFor(gateway, own, Date.now());
  const rest = { clean: true, keepalive: 60, protocolId: 'MQTT' as const, protocolVersion: 4 as const };
  socket.write(generate({ cmd: 'connect', clientId: own, username: own, password, ...rest }));
  await once(socket, 'data');
  return socket;
}

function subscribePacket(filters: readonly string[], messageId = 1): Buffer {
  return generate({ cmd: 'subscribe', messageId, subscriptions: filters.map((topic) => ({ topic, qos: 1 })) });
}

/** Filters that a broker by a list of prefixes would take: each would be an entry of its own. */
const distinct = (n: number) => Array.from({ length: n }, (_, i) => `gtx/v1/${own}/ack/${i}`);

describe('subscriptions', () => {
  it('ends a connection by a packet that names a thousand filters, before it is taken in', async () => {
    await start();
    const socket = await raw();
    const ended = once(socket, 'close');
    socket.resume();
    socket.write(subscribePacket(distinct(1_000)));
    await ended;
    expect(await rig.figure('gtx_broker_refused_total', { reason: 'subscribe_not_allowed' })).toBe(0);
    expect(await rig.figure('gtx_broker_refused_total', { reason: 'oversize_packet' })).toBe(1);
  });

  it('takes none of a thousand distinct ack filters, ends the session, and shows one line', async () => {
    await start({ controlBytes: 65_536 });
    const socket = await raw();
    const ended = once(socket, 'close');
    socket.resume();
    socket.write(subscribePacket(distinct(1_000)));
    await ended;
    expect(sizes().subscriptions).toBe(0);
    expect(await rig.figure('gtx_broker_sessions_ended_total', { reason: 'too_many_refused_filters' })).toBe(1);
    expect(rig.lines.filter(({ message }) => message === 'subscription refused')).toHaveLength(1);
  });

  it('holds a gateway at its four filters however often it names them', async () => {
    await start({ filtersPerMinute: 100_000 });
    const socket = await raw();
    const answers: number[][] = [];
    const reader = parser();
    reader.on('packet', (packet) => packet.cmd === 'suback' && answers.push(packet.granted as number[]));
    socket.on('data', (bytes) => reader.parse(bytes));
    for (let i = 1; i <= 50; i++) socket.write(subscribePacket(Array(10).fill(GATEWAY_FILTERS).flat(), i));
    await until('all are answered', () => answers.length === 50);
    expect(answers.flat().every((qos) => qos === 1)).toBe(true);
    expect(sizes().subscriptions).toBe(4);
  });

  it('leaves nothing behind a churn of subscriptions and sessions', async () => {
    await start({ filtersPerMinute: 100_000, signInsPerMinute: 100_000 });
    for (let round = 0; round < 20; round++) {
      const client = await connect(rig, optionsFor(gateway, { clientId: `${own}/${round}`, clean: false }));
      for (let i = 0; i < 10; i++) {
        await client.subscribeAsync(GATEWAY_FILTERS, { qos: 1 });
        await client.unsubscribeAsync(GATEWAY_FILTERS);
      }
      await client.subscribeAsync(GATEWAY_FILTERS, { qos: 1 });
      client.stream.destroy();
    }
    await until('all are gone', () => sizes().sockets === 0);
    await until('nothing is left', () => sizes().clients === 0);
    expect(sizes()).toMatchObject({ sessions: 0, keys: 0, pending: 0, clients: 0, subscriptions: 0, allowances: 1 });
  });

  it('gives an operator 16 and no more', async () => {
    await start();
    const client = await connect(rig, optionsFor(operator));
    for (let zone = 0; zone < 16; zone++) await client.subscribeAsync(`gtx/v1/live/${zone}/+`);
    await expect(client.subscribeAsync('gtx/v1/live/16/+')).rejects.toThrow();
    await client.unsubscribeAsync('gtx/v1/live/0/+');
    await client.subscribeAsync('gtx/v1/live/16/+');
    expect(sizes().subscriptions).toBe(16);
  });

  it('control: the table of filters grows where its numbers are large', async () => {
    await start({ subscriptions: 100_000, filtersPerMinute: 100_000, controlBytes: 65_536 });
    const client = await connect(rig, optionsFor(operator));
    const zones = Array.from({ length: 1_000 }, (_, zone) => `gtx/v1/live/${zone}/+`);
    await client.subscribeAsync(zones, { qos: 0 });
    expect(sizes().subscriptions).toBe(1_000);
  });

  it('ends a session that subscribes again and again', async () => {
    await start({ filtersPerMinute: 40 });
    const socket = await raw();
    const ended = once(socket, 'close');
    socket.resume();
    for (let i = 1; i <= 11; i++) socket.write(subscribePacket(GATEWAY_FILTERS, i));
    await ended;
    expect(await rig.figure('gtx_broker_sessions_ended_total', { reason: 'too_many_filters' })).toBe(1);
  });
});

describe('before sign-in', () => {
  it('takes no more than a sign-in needs from a stranger', async () => {
    await start();
    const before = await rig.figure('gtx_broker_received_bytes_total');
    const socket = await raw(false);
    const ended = once(socket, 'close');
    // 60 kB announced, within the packet limit of those who are signed in.
    socket.write(Buffer.from([0x10, 0xe0, 0xd4, 0x03]));
    socket.write(Buffer.alloc(60_000, 1));
    await ended;
    expect((await rig.figure('gtx_broker_received_bytes_total')) - before).toBeLessThanOrEqual(16_384);
    expect(await rig.figure('gtx_broker_refused_total', { reason: 'oversize_packet' })).toBe(1);
  });

  it('serves a client that goes on before its sign-in is answered', async () => {
    await start();
    const reader = await connect(rig, optionsFor(oracle));
    await reader.subscribeAsync('gtx/v1/+/+/reading', { qos: 1 });
    const seen: number[] = [];
    reader.on('message', (_topic, payload) => seen.push(payload.length));
    const socket = await raw(false);
    const password = tokenFor(gateway, own, Date.now());
    const rest = { clean: true, keepalive: 60, protocolId: 'MQTT' as const, protocolVersion: 4 as const };
    const publish = (bytes: number) =>
      generate({ cmd: 'publish', topic: reading, payload: Buffer.alloc(bytes), qos: 0, retain: false, dup: false });
    const signIn = generate({ cmd: 'connect', clientId: own, username: own, password, ...rest });
    socket.write(Buffer.concat([signIn, publish(34_000), publish(9), publish(60_000)]));
    await until('all arrive', () => seen.length === 3);
    expect(seen).toEqual([34_000, 9, 60_000]);
  });

  it('lets a gateway in while a thousand connections say nothing', async () => {
    await start({ pendingConnections: 64, pendingPerAddress: 32 });
    for (let i = 0; i < 1_000; i++) await raw(false);
    expect(sizes().pending).toBeLessThanOrEqual(32);
    const client = await connect(rig, optionsFor(gateway));
    expect(client.connected).toBe(true);
    // Whoever is in does not count as waiting, and is not driven out.
    for (let i = 0; i < 100; i++) await raw(false);
    await client.publishAsync(reading, 'x', { qos: 1 });
    expect(sizes().sessions).toBe(1);
  });

  it('control: silent connections pile up where their numbers are large', async () => {
    await start({ pendingConnections: 10_000, pendingPerAddress: 10_000 });
    for (let i = 0; i < 300; i++) await raw(false);
    expect(sizes().pending).toBe(300);
  });
});

describe('sessions and tokens', () => {
  it('refuses a token the second time, also under another session', async () => {
    await start();
    const password = tokenFor(gateway, own, Date.now());
    const first = await connect(rig, optionsFor(gateway, { password }));
    expect(await returnCodeOf(rig, optionsFor(gateway, { password }))).toBe(4);
    // The thief did not end the session of the owner.
    await first.publishAsync(reading, 'x', { qos: 1 });
    await first.endAsync();
    expect(await returnCodeOf(rig, optionsFor(gateway, { password }))).toBe(4);
    expect(await rig.figure('gtx_broker_refused_total', { reason: 'used_token' })).toBe(2);
    // Control: a new token is good.
    expect(await returnCodeOf(rig, optionsFor(gateway))).toBe(0);
  });

  it('bounds sign-ins of a key by time, and not those of its neighbour', async () => {
    const clock = new ManualClock();
    await start({ signInsPerMinute: 10 }, clock);
    const codes: number[] = [];
    for (let i = 0; i < 12; i++) codes.push(await returnCodeOf(rig, optionsFor(gateway, { nowMs: clock.nowMs() })));
    expect(codes).toEqual([...Array(10).fill(0), 3, 3]);
    expect(await returnCodeOf(rig, optionsFor(neighbour, { nowMs: clock.nowMs() }))).toBe(0);
    clock.advance(6_001);
    expect(await returnCodeOf(rig, optionsFor(gateway, { nowMs: clock.nowMs() }))).toBe(0);
  });

  it("ends an oracle's oldest session above eight", async () => {
    await start();
    const name = base58Encode(oracle.publicKey);
    const clients: MqttClient[] = [];
    for (let i = 0; i < 10; i++) clients.push(await connect(rig, optionsFor(oracle, { clientId: `${name}/${i}` })));
    await until('two have gone', () => clients.filter(({ connected }) => !connected).length === 2);
    expect(clients.map(({ connected }) => connected)).toEqual([false, false, ...Array(8).fill(true)]);
    expect(sizes().sessions).toBe(8);
  });

  it('refuses a will that is longer than a status', async () => {
    await start();
    const will = (length: number) => ({
      topic: status,
      payload: Buffer.alloc(length, 32),
      qos: 1 as const,
      retain: true,
    });
    expect(await returnCodeOf(rig, optionsFor(gateway, { will: will(8_193) }))).toBe(5);
    expect(await returnCodeOf(rig, optionsFor(gateway, { will: will(8_192) }))).toBe(0);
  });
});

describe('retained messages', () => {
  it('keeps one status of a gateway however often it changes, and none that is too long', async () => {
    await start();
    const client = await connect(rig, optionsFor(gateway));
    for (let i = 0; i < 200; i++) await client.publishAsync(status, `${i}`.padEnd(500), { qos: 1, retain: true });
    expect(sizes()).toMatchObject({ retained: 1, retainedBytes: status.length + 500 });
    const ended = closed(client);
    client.publish(status, Buffer.alloc(8_193), { qos: 1, retain: true });
    await ended;
    expect(sizes().retained).toBe(1);
  });

  it('keeps acks for listed gateways only, passes all of them on, and drops what is retained of a key that is gone', async () => {
    await start();
    const client = await connect(rig, optionsFor(oracle));
    const ackFor = (to: Uint8Array) => formatTopic({ kind: 'ack', gateway: to, oracle: oracle.publicKey });
    for (let i = 0; i < 100; i++) await client.publishAsync(ackFor(randomBytes(32)), 'a', { qos: 1, retain: true });
    expect(sizes().retained).toBe(0);
    await client.publishAsync(ackFor(gateway.publicKey), 'a', { qos: 1, retain: true });
    expect(sizes().retained).toBe(1);
    rig.keys.remove(gateway);
    expect(sizes().retained).toBe(0);
    rig.keys.set(gateway, 'gateway');
    const reader = await connect(rig, optionsFor(gateway));
    const seen: string[] = [];
    reader.on('message', (_topic, payload) => seen.push(payload.toString()));
    await reader.subscribeAsync(GATEWAY_FILTERS[0] ?? '', { qos: 1 });
    const next = nextMessage(reader);
    await client.publishAsync(ackFor(gateway.publicKey), 'new', { qos: 1 });
    await next;
    expect(seen).toEqual(['new']);
  });

  it('passes on without keeping when there is no more room', async () => {
    await start({ retained: 2 });
    const client = await connect(rig, optionsFor(oracle));
    for (const to of [gateway, neighbour]) {
      const topic = formatTopic({ kind: 'ack', gateway: to.publicKey, oracle: oracle.publicKey });
      await client.publishAsync(topic, 'a', { qos: 1, retain: true });
    }
    const name = formatTopic({ kind: 'oracle-status', oracle: oracle.publicKey });
    await client.publishAsync(name, '{}', { qos: 1, retain: true });
    expect(sizes().retained).toBe(2);
    expect(await rig.figure('gtx_broker_refused_total', { reason: 'retained_full' })).toBe(1);
  });
});

describe('slow readers', () => {
  it('ends a gateway that does not read, and holds up nobody', async () => {
    // As long as production waits: it is not the deadline that ends this session.
    await start({ outgoingBytes: 262_144, messagesPerSecond: 100_000, messageBurst: 100_000, byteBurst: 1e9 });
    const stuck = await connect(rig, optionsFor(gateway));
    await stuck.subscribeAsync(GATEWAY_FILTERS[0] ?? '', { qos: 1 });
    (stuck.stream as unknown as { pause(): void }).pause();
    const sender = await connect(rig, optionsFor(oracle));
    sender.stream.setMaxListeners(0);
    const topic = formatTopic({ kind: 'ack', gateway: gateway.publicKey, oracle: oracle.publicKey });
    const before = performance.now();
    for (let i = 0; i < 600; i++) await sender.publishAsync(topic, Buffer.alloc(30_000), { qos: 1 });
    expect(performance.now() - before).toBeLessThan(8_000);
    expect(await rig.figure('gtx_broker_sessions_ended_total', { reason: 'slow_reader' })).toBe(1);
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
    const log = new BoundedLog({ debug: sink, info: sink, warn: sink, error: sink }, (_ms, next) => {
      task = next;
    });
    return { log, bytes: () => total, endPeriod: () => task() };
  }

  it('stay small whatever a stranger and a hostile gateway do', async () => {
    await start({ signInsPerMinute: 100_000, pendingPerAddress: 10_000, pendingConnections: 10_000 });
    // Fewer than the tokens that are remembered: all of them may begin in one second.
    const count = 200;
    for (let i = 0; i < count; i++) {
      await returnCodeOf(rig, optionsFor(gateway, { password: randomBytes(180) }));
      const client = mqtt.connect(`mqtt://127.0.0.1:${rig.port}`, optionsFor(gateway));
      client.on('error', () => {});
      await new Promise<void>((resolve) => client.once('connect', () => resolve()));
      client.publish(neighbourReading, 'x');
      await closed(client);
      const socket = await raw(false);
      socket.write(randomBytes(100));
      socket.destroy();
    }
    // Control: without the bound this is one line, or more, for each.
    expect(rig.lines.length).toBeGreaterThan(2 * count);
    const { log, bytes, endPeriod } = bounded();
    for (const { level, fields, message } of rig.lines) log[level as 'info' | 'warn'](fields, message);
    endPeriod();
    expect(bytes()).toBeLessThan(40_000);
  });
});
