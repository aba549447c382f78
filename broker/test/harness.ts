import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type Socket, connect as tcpConnect } from 'node:net';
import { base58Encode, ed25519Signer, type Signer, type SignInToken, sha256, signToken } from '@gridtokenx/protocol';
import type { Clock, LogFields, ServerCertificate } from '@gridtokenx/runtime/core';
import { Metrics, provedVerifier, systemClock } from '@gridtokenx/runtime/node';
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import { generate } from 'mqtt-packet';
import { AedesServer } from '../src/adapters/aedes/server.js';
import { brokerMetrics } from '../src/adapters/metrics.js';
import { DEFAULT_LIMITS } from '../src/config.js';
import type { KeyDirectory, KeyRecord, KeyRole, Limits } from '../src/ports.js';

export const BROKER = 'test-broker';

export function signerOf(name: string): Signer {
  return ed25519Signer(sha256(new TextEncoder().encode(name)));
}

/** Keys that a test adds and revokes. */
export class MemoryKeys implements KeyDirectory {
  readonly #records = new Map<string, KeyRecord>();
  readonly #listeners: (() => void)[] = [];
  find(key: string): KeyRecord | undefined {
    return this.#records.get(key);
  }
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }
  set(signer: Signer, role: KeyRole, status: KeyRecord['status'] = 'active'): void {
    this.#records.set(base58Encode(signer.publicKey), { publicKey: signer.publicKey, role, status, name: role });
    for (const listener of this.#listeners) listener();
  }
  remove(signer: Signer): void {
    this.#records.delete(base58Encode(signer.publicKey));
    for (const listener of this.#listeners) listener();
  }
}

export interface Fixture {
  readonly port: number;
  readonly scheme?: 'mqtt' | 'mqtts';
  readonly keys: MemoryKeys;
  readonly server: AedesServer;
  readonly lines: { level: string; message: string; fields: LogFields }[];
  figure(name: string, labels?: Record<string, string>): Promise<number>;
  close(): Promise<void>;
}

/** A real broker on a free port. */
export async function startFixture(
  options: { clock?: Clock; port?: number; limits?: Partial<Limits>; certificate?: ServerCertificate } = {},
): Promise<Fixture> {
  const keys = new MemoryKeys();
  const lines: Fixture['lines'] = [];
  const metrics = new Metrics('broker');
  const server = new AedesServer({
    name: BROKER,
    keys,
    verifier: provedVerifier(),
    clock: options.clock ?? systemClock,
    limits: { ...DEFAULT_LIMITS, ...options.limits },
    metrics: brokerMetrics(metrics),
    certificate: options.certificate,
    log: {
      debug: () => {},
      info: (fields, message) => lines.push({ level: 'info', message, fields: { ...fields } }),
      warn: (fields, message) => lines.push({ level: 'warn', message, fields: { ...fields } }),
      error: (fields, message) => lines.push({ level: 'error', message, fields: { ...fields } }),
    },
  });
  const { port } = await server.listen('127.0.0.1', options.port ?? 0);
  return {
    port,
    scheme: options.certificate ? 'mqtts' : 'mqtt',
    keys,
    server,
    lines,
    async figure(name, labels = {}) {
      const metric = (await metrics.registry.getMetricsAsJSON()).find((entry) => entry.name === name);
      const value = metric?.values.find(({ labels: got }) =>
        Object.entries(labels).every(([key, text]) => (got as Record<string, unknown>)[key] === text),
      );
      return value?.value ?? 0;
    },
    close: () => server.close(),
  };
}

export function tokenFor(signer: Signer, clientId: string, nowMs: number, change: Partial<SignInToken> = {}): Buffer {
  const now = Math.floor(nowMs / 1000);
  const token: SignInToken = {
    broker: BROKER,
    clientId,
    notBefore: now - 10,
    expiry: now + 3600,
    nonce: randomBytes(16),
    ...change,
  };
  return Buffer.from(signToken(token, signer));
}

/** Connection options of a well-behaved client. */
export function optionsFor(signer: Signer, change: IClientOptions & { nowMs?: number } = {}): IClientOptions {
  const { nowMs, ...rest } = change;
  const clientId = rest.clientId ?? base58Encode(signer.publicKey);
  return {
    clientId,
    username: base58Encode(signer.publicKey),
    password: tokenFor(signer, clientId, nowMs ?? Date.now()),
    protocolVersion: 4,
    reconnectPeriod: 0,
    connectTimeout: 5_000,
    ...rest,
  };
}

const open: MqttClient[] = [];

/** Connects, or throws the refusal; the error's `code` is the CONNACK return code. */
export async function connect(fixture: Fixture, options: IClientOptions): Promise<MqttClient> {
  const client = mqtt.connect(`${fixture.scheme ?? 'mqtt'}://127.0.0.1:${fixture.port}`, options);
  open.push(client);
  client.on('error', () => {});
  await new Promise<void>((resolve, reject) => {
    client.once('connect', () => resolve());
    client.once('error', (error) => reject(error));
    client.once('close', () => reject(new Error('closed before CONNACK')));
  });
  return client;
}

/** Return code of a refused CONNECT, 0 where it was accepted. */
export async function returnCodeOf(fixture: Fixture, options: IClientOptions): Promise<number> {
  try {
    await connect(fixture, options);
    return 0;
  } catch (error) {
    const { code } = error as { code?: unknown };
    if (typeof code !== 'number') throw error;
    return code;
  }
}

/** Resolves when the connection is closed. */
export async function closed(client: MqttClient): Promise<void> {
  if (client.connected) await new Promise<void>((resolve) => client.once('close', () => resolve()));
}

export function nextMessage(client: MqttClient): Promise<{ topic: string; payload: Buffer; retain: boolean }> {
  return new Promise((resolve) => {
    client.once('message', (topic, payload, packet) => resolve({ topic, payload, retain: packet.retain === true }));
  });
}

const sockets: Socket[] = [];

/** A connection that writes packets as bytes; with `signer` signed in with its key. */
export async function rawClient(fixture: Fixture, signer?: Signer): Promise<Socket> {
  const socket = tcpConnect(fixture.port, '127.0.0.1');
  sockets.push(socket);
  socket.on('error', () => {});
  await once(socket, 'connect');
  if (!signer) return socket;
  socket.write(connectPacket(signer));
  await once(socket, 'data');
  return socket;
}

/** The bytes of a good sign-in. */
export function connectPacket(signer: Signer): Buffer {
  const name = base58Encode(signer.publicKey);
  const password = tokenFor(signer, name, Date.now());
  const rest = { clean: true, keepalive: 60, protocolId: 'MQTT' as const, protocolVersion: 4 as const };
  return generate({ cmd: 'connect', clientId: name, username: name, password, ...rest });
}

/** Ends every client and connection that a test has opened. */
export function endAll(): void {
  for (const client of open.splice(0)) client.end(true);
  for (const socket of sockets.splice(0)) socket.destroy();
}
