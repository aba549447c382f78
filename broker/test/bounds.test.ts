import { once } from 'node:events';
import { until } from '@gridtokenx/testing-kit/until';
import { generate, parser } from 'mqtt-packet';
import { describe, expect, it } from 'vitest';
import { GATEWAY_FILTERS, gateway, gatewayName, operator, oracle, reading } from './cast.js';
import { connect, connectPacket, optionsFor, rawClient } from './harness.js';
import { Limited } from './limited.js';

const broker = new Limited();
const sizes = () => broker.fixture.server.sizes;

function subscribePacket(filters: readonly string[], messageId = 1): Buffer {
  return generate({ cmd: 'subscribe', messageId, subscriptions: filters.map((topic) => ({ topic, qos: 1 })) });
}

/** Filters that a broker by a list of prefixes would take: each would be an entry of its own. */
const distinct = (n: number) => Array.from({ length: n }, (_, i) => `gtx/v1/${gatewayName}/ack/${i}`);

describe('subscriptions', () => {
  it('ends a connection by a packet that names a thousand filters, before it is taken in', async () => {
    await broker.start();
    const socket = await rawClient(broker.fixture, gateway);
    const ended = once(socket, 'close');
    socket.resume();
    socket.write(subscribePacket(distinct(1_000)));
    await ended;
    expect(await broker.fixture.figure('gtx_broker_refused_total', { reason: 'subscribe_not_allowed' })).toBe(0);
    expect(await broker.fixture.figure('gtx_broker_refused_total', { reason: 'oversize_packet' })).toBe(1);
  });

  it('takes none of a thousand distinct ack filters, ends the session, and shows one line', async () => {
    await broker.start({ controlBytes: 65_536 });
    const socket = await rawClient(broker.fixture, gateway);
    const ended = once(socket, 'close');
    socket.resume();
    socket.write(subscribePacket(distinct(1_000)));
    await ended;
    expect(sizes().subscriptions).toBe(0);
    expect(await broker.fixture.figure('gtx_broker_sessions_ended_total', { reason: 'too_many_refused_filters' })).toBe(
      1,
    );
    expect(broker.fixture.lines.filter(({ message }) => message === 'Refused a subscription')).toHaveLength(1);
  });

  it('holds a gateway at its four filters however often it names them', async () => {
    await broker.start({ filtersPerMinute: 100_000 });
    const socket = await rawClient(broker.fixture, gateway);
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
    await broker.start({ filtersPerMinute: 100_000, signInsPerMinute: 100_000 });
    for (let round = 0; round < 20; round++) {
      const client = await connect(
        broker.fixture,
        optionsFor(gateway, { clientId: `${gatewayName}/${round}`, clean: false }),
      );
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
    await broker.start();
    const client = await connect(broker.fixture, optionsFor(operator));
    for (let zone = 0; zone < 16; zone++) await client.subscribeAsync(`gtx/v1/live/${zone}/+`);
    await expect(client.subscribeAsync('gtx/v1/live/16/+')).rejects.toThrow();
    await client.unsubscribeAsync('gtx/v1/live/0/+');
    await client.subscribeAsync('gtx/v1/live/16/+');
    expect(sizes().subscriptions).toBe(16);
  });

  it('control: the table of filters grows where its numbers are large', async () => {
    await broker.start({ subscriptions: 100_000, filtersPerMinute: 100_000, controlBytes: 65_536 });
    const client = await connect(broker.fixture, optionsFor(operator));
    const zones = Array.from({ length: 1_000 }, (_, zone) => `gtx/v1/live/${zone}/+`);
    await client.subscribeAsync(zones, { qos: 0 });
    expect(sizes().subscriptions).toBe(1_000);
  });

  it('ends a session that subscribes again and again', async () => {
    await broker.start({ filtersPerMinute: 40 });
    const socket = await rawClient(broker.fixture, gateway);
    const ended = once(socket, 'close');
    socket.resume();
    for (let i = 1; i <= 11; i++) socket.write(subscribePacket(GATEWAY_FILTERS, i));
    await ended;
    expect(await broker.fixture.figure('gtx_broker_sessions_ended_total', { reason: 'too_many_filters' })).toBe(1);
  });
});

describe('before sign-in', () => {
  it('takes no more than a sign-in needs from a stranger', async () => {
    await broker.start();
    const before = await broker.fixture.figure('gtx_broker_received_bytes_total');
    const socket = await rawClient(broker.fixture);
    const ended = once(socket, 'close');
    // 60 kB announced, within the packet limit of those who are signed in.
    socket.write(Buffer.from([0x10, 0xe0, 0xd4, 0x03]));
    socket.write(Buffer.alloc(60_000, 1));
    await ended;
    expect((await broker.fixture.figure('gtx_broker_received_bytes_total')) - before).toBeLessThanOrEqual(16_384);
    expect(await broker.fixture.figure('gtx_broker_refused_total', { reason: 'oversize_packet' })).toBe(1);
  });

  it('serves a client that goes on before its sign-in is answered', async () => {
    await broker.start();
    const reader = await connect(broker.fixture, optionsFor(oracle));
    await reader.subscribeAsync('gtx/v1/+/+/reading', { qos: 1 });
    const seen: number[] = [];
    reader.on('message', (_topic, payload) => seen.push(payload.length));
    const socket = await rawClient(broker.fixture);
    const publish = (bytes: number) =>
      generate({ cmd: 'publish', topic: reading, payload: Buffer.alloc(bytes), qos: 0, retain: false, dup: false });
    socket.write(Buffer.concat([connectPacket(gateway), publish(34_000), publish(9), publish(60_000)]));
    await until('all arrive', () => seen.length === 3);
    expect(seen).toEqual([34_000, 9, 60_000]);
  });

  it('lets a gateway in while a thousand connections say nothing', async () => {
    await broker.start({ pendingConnections: 64, pendingPerAddress: 32 });
    for (let i = 0; i < 1_000; i++) await rawClient(broker.fixture);
    expect(sizes().pending).toBeLessThanOrEqual(32);
    const client = await connect(broker.fixture, optionsFor(gateway));
    expect(client.connected).toBe(true);
    // Whoever is in does not count as waiting, and is not driven out.
    for (let i = 0; i < 100; i++) await rawClient(broker.fixture);
    await client.publishAsync(reading, 'x', { qos: 1 });
    expect(sizes().sessions).toBe(1);
  });

  it('control: silent connections pile up where their numbers are large', async () => {
    await broker.start({ pendingConnections: 10_000, pendingPerAddress: 10_000 });
    for (let i = 0; i < 300; i++) await rawClient(broker.fixture);
    expect(sizes().pending).toBe(300);
  });
});
