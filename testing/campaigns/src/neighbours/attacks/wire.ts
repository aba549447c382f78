import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { base58Encode, signToken } from '@gridtokenx/protocol';
import type { AttackParts } from './target.js';

const TOKEN_SECONDS = 3_600;
const TOKEN_EARLY_SECONDS = 60;
/** A peer that sends nothing for this time, in ms, has refused. */
const PATIENCE_MS = 5_000;

/** Opens a connection whose errors the attack ignores; null when it fails. */
export async function dial(url: string): Promise<Socket | null> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => {});
  return new Promise((resolve) => {
    socket.once('connect', () => resolve(socket));
    socket.once('close', () => resolve(null));
  });
}

/** Resolves when the socket is closed, or after `ms`. */
export async function ended(socket: Socket, ms: number): Promise<boolean> {
  if (socket.destroyed) return true;
  socket.resume();
  await once(socket, 'close', { signal: AbortSignal.timeout(ms) }).catch(() => undefined);
  return socket.destroyed;
}

/** Returns the next bytes; null when the connection ends, or none arrive in time. */
export async function answer(socket: Socket): Promise<Buffer | null> {
  const signal = AbortSignal.timeout(PATIENCE_MS);
  const [bytes] = await Promise.race([
    once(socket, 'data', { signal }),
    once(socket, 'close', { signal }).then(() => [null]),
  ]).catch(() => [null]);
  return bytes as Buffer | null;
}

/** Makes a password as a gateway does, valid for one connect. */
export function tokenOf({ broker, keys, clock, random }: AttackParts, clientId: string): Uint8Array {
  const now = Math.floor(clock.now() / 1000);
  const times = { notBefore: now - TOKEN_EARLY_SECONDS, expiry: now + TOKEN_SECONDS };
  return signToken({ broker, clientId, ...times, nonce: random(16) }, keys.gateway);
}

export const nameOf = ({ keys }: AttackParts) => base58Encode(keys.gateway.publicKey);

/** Opens a session of the hostile gateway; null when the broker refuses it. */
export async function signIn(parts: AttackParts, password?: Uint8Array, suffix = ''): Promise<Socket | null> {
  const name = nameOf(parts);
  const clientId = `${name}${suffix}`;
  const socket = await dial(parts.urls.mqtt);
  if (!socket) return null;
  socket.write(connectPacket(clientId, name, password ?? tokenOf(parts, clientId)));
  const bytes = await answer(socket);
  if (bytes?.[3] === 0) return socket;
  socket.destroy();
  return null;
}

/** Builds a CONNECT of MQTT 3.1.1 (section 3.1): clean session, user name and password, no keep-alive. */
export function connectPacket(clientId: string, userName: string, password: Uint8Array): Buffer {
  const head = [text('MQTT'), Buffer.of(4, 0xc2, 0, 0)];
  return packet(0x10, Buffer.concat([...head, text(clientId), text(userName), text(password)]));
}

export function subscribePacket(filters: readonly string[]): Buffer {
  return packet(0x82, Buffer.concat([Buffer.of(0, 1), ...filters.flatMap((filter) => [text(filter), Buffer.of(1)])]));
}

export function unsubscribePacket(filters: readonly string[]): Buffer {
  return packet(0xa2, Buffer.concat([Buffer.of(0, 2), ...filters.map(text)]));
}

/** Builds a PUBLISH with QoS 1. */
export function publishPacket(topic: string, payload: Uint8Array, retain = false): Buffer {
  return packet(retain ? 0x33 : 0x32, Buffer.concat([text(topic), Buffer.of(0, 1), payload]));
}

function text(value: string | Uint8Array): Buffer {
  const bytes = Buffer.from(value as string);
  return Buffer.concat([Buffer.of(bytes.length >> 8, bytes.length & 255), bytes]);
}

export function packet(first: number, body: Uint8Array): Buffer {
  const length: number[] = [];
  for (let left = body.length; ; ) {
    const low = left % 128;
    left = Math.floor(left / 128);
    length.push(left > 0 ? low | 128 : low);
    if (left === 0) break;
  }
  return Buffer.concat([Buffer.of(first, ...length), body]);
}
