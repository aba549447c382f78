import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { connect as connectSocket } from 'node:net';
import { join } from 'node:path';
import { projectRoot } from '@gridtokenx/devnet/root';
import { base58Encode, ed25519Signer, type Signer, signToken } from '@gridtokenx/protocol';
import { freePort } from '@gridtokenx/testing-kit/free-port';
import { LoadClient } from './mqtt-client.js';
import { type Measured, startServer, startService } from './processes.js';

export const BROKER_NAME = 'bench';
export const MOSQUITTO_MISSING =
  'Mosquitto is not installed: nothing to measure the broker against. Debian: apt-get install mosquitto';

/** A broker under load. */
export interface RunningBroker {
  readonly port: number;
  readonly process: Measured;
}

/** Returns the seed of a key that only a bench uses. */
export function seedOf(number: number): Uint8Array {
  return new Uint8Array(32).fill(100 + number);
}

/** A broker that can be started again at its port. */
export interface PreparedBroker {
  readonly port: number;
  start(): Promise<Measured>;
}

/** Writes the files of our broker, with limits that a load does not meet. `gateways` and `oracles` may sign in. */
export async function prepareOurs(
  folder: string,
  gateways: readonly Pick<Signer, 'publicKey'>[],
  oracles: readonly Pick<Signer, 'publicKey'>[],
): Promise<PreparedBroker> {
  const keys = [
    ...gateways.map((signer) => ({ signer, role: 'gateway' })),
    ...oracles.map((signer) => ({ signer, role: 'oracle' })),
  ].map(({ signer, role }) => ({ publicKey: base58Encode(signer.publicKey), role, status: 'active', name: role }));
  const port = await freePort();
  const httpPort = await freePort();
  writeFileSync(join(folder, 'keys.json'), JSON.stringify({ version: 1, keys }));
  const plenty = 1_000_000_000;
  const config = {
    name: BROKER_NAME,
    host: '127.0.0.1',
    port,
    keysFile: 'keys.json',
    http: { host: '127.0.0.1', port: httpPort },
    limits: { messagesPerSecond: plenty, messageBurst: plenty, bytesPerSecond: plenty, byteBurst: plenty },
  };
  const file = join(folder, 'broker.json');
  writeFileSync(file, JSON.stringify(config));
  return { port, start: () => startService(join(projectRoot, 'broker/dist/main.js'), ['run', '--config', file]) };
}

/** Starts our broker as in production, with limits that a load does not meet. `gateways` and `oracles` may sign in. */
export async function startOurs(
  folder: string,
  gateways: readonly Signer[],
  oracles: readonly Signer[],
): Promise<RunningBroker> {
  const { port, start } = await prepareOurs(folder, gateways, oracles);
  return { port, process: await start() };
}

/** Returns the path of Debian's Mosquitto, which is not on everybody's PATH; null when there is none. */
export function findMosquitto(): string | null {
  const places = ['mosquitto', '/usr/sbin/mosquitto', '/usr/local/sbin/mosquitto'];
  return places.find((place) => spawnSync(place, ['-h'], { stdio: 'ignore' }).error === undefined) ?? null;
}

/** Writes the configuration of a Mosquitto without sign-in, with its own limits raised. */
export async function prepareMosquitto(command: string, folder: string): Promise<PreparedBroker> {
  const port = await freePort();
  const lines = [
    `listener ${port} 127.0.0.1`,
    'allow_anonymous true',
    'persistence false',
    'max_inflight_messages 0',
    'max_queued_messages 0',
    'set_tcp_nodelay true',
    'log_type error',
  ];
  const file = join(folder, 'mosquitto.conf');
  writeFileSync(file, `${lines.join('\n')}\n`);
  return { port, start: () => startServer(command, ['-c', file], () => answers(port)) };
}

/** Starts Mosquitto without sign-in, with its own limits raised. */
export async function startMosquitto(command: string, folder: string): Promise<RunningBroker> {
  const { port, start } = await prepareMosquitto(command, folder);
  return { port, process: await start() };
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connectSocket(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/** Signs in as a gateway or an oracle does. */
export function signIn(
  port: number,
  seed: Uint8Array,
  onMessage?: (topic: string, payload: Buffer) => void,
): Promise<LoadClient> {
  const signer = ed25519Signer(seed);
  const clientId = base58Encode(signer.publicKey);
  const now = Math.floor(Date.now() / 1000);
  // A token is valid once.
  const nonce = crypto.getRandomValues(new Uint8Array(16));
  const token = { broker: BROKER_NAME, clientId, notBefore: now - 60, expiry: now + 3_600, nonce };
  const password = signToken(token, signer);
  return LoadClient.connect({ port, clientId, userName: clientId, password, ...(onMessage ? { onMessage } : {}) });
}
