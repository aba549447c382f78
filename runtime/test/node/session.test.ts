import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { generate } from 'mqtt-packet';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type MqttSession, openSession } from '../../src/node/index.js';

const MAX_BYTES = 1_000;
const CONNACK = Buffer.from([0x20, 2, 0, 0]);
/** Announces 268,435,455 bytes, the most that MQTT 3.1.1 knows. */
const LONGEST_HEADER = Buffer.from([0x30, 0xff, 0xff, 0xff, 0x7f]);
const TOO_LONG = 'the broker sent a packet of more than 1000 bytes';

let server: Server;
let peers: Socket[];
let got: number[];
beforeEach(async () => {
  [peers, got] = [[], []];
  server = createServer((socket) => void peers.push(socket.on('error', () => {}).resume()));
  await once(server.listen(0, '127.0.0.1'), 'listening');
});
afterEach(() => {
  for (const peer of peers) peer.destroy();
  server.close();
});

/** A broker that sends `first` to whoever connects, and answers a message with one that is a byte longer. */
async function open(first: Uint8Array): Promise<MqttSession> {
  server.once('connection', (socket: Socket) => void socket.write(first));
  return openSession(`mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`, {
    clientId: 'c',
    username: 'u',
    password: Buffer.from('p'),
    mostPacketBytes: MAX_BYTES,
    onMessage: (_topic, payload) => {
      got.push(payload.length);
      // Together in one chunk with the longer one it would be dropped as well.
      peers[0]?.write(publish(payload.length + 1));
    },
  });
}

function publish(payloadBytes: number, qos: 0 | 1 | 2 = 0): Buffer {
  const payload = Buffer.alloc(payloadBytes);
  return generate({ cmd: 'publish', topic: 't', payload, qos, messageId: 1, retain: false, dup: false });
}

test('a packet that announces more than the bound ends the session before its body has come', async () => {
  const session = await open(CONNACK);
  const closed = once(peers[0] as Socket, 'close');
  // Byte by byte, like a broker that wants the client to wait.
  for (const byte of LONGEST_HEADER) peers[0]?.write(Uint8Array.of(byte));
  expect(await session.ended).toBe(TOO_LONG);
  await closed;
  await expect(session.publish('t', 'x', { qos: 0, retain: false })).rejects.toThrow(TOO_LONG);
});

test('so does one in place of the answer to the sign-in', async () => {
  await expect(open(LONGEST_HEADER)).rejects.toThrow(TOO_LONG);
});

test('a packet at the bound is taken, one byte more is not', async () => {
  const session = await open(CONNACK);
  const overhead = publish(MAX_BYTES).length - MAX_BYTES;
  peers[0]?.write(publish(MAX_BYTES - overhead));
  expect(await session.ended).toBe(TOO_LONG);
  expect(got).toEqual([MAX_BYTES - overhead]);
});

test('a message with QoS 2 ends the session: the library would keep each until the broker releases it', async () => {
  const session = await open(CONNACK);
  peers[0]?.write(publish(10, 2));
  expect(await session.ended).toBe('the broker sent a message with QoS 2');
});
