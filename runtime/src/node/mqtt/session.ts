import type { Duplex } from 'node:stream';
import type { IClientOptions, MqttClient } from 'mqtt';
import { FrameMeter } from '../../core/frame-meter.js';

/** Opens a connection whose peer has proved its name. Rejects with plain words. */
export type Dial = () => Promise<Duplex>;

export interface SessionOptions {
  readonly clientId: string;
  readonly username: string;
  readonly password: Uint8Array;
  /** Retained, QoS 1. The broker publishes it when the session ends without a farewell. */
  readonly will?: { readonly topic: string; readonly payload: string } | undefined;
  /** Bounds a packet in bytes, fixed header included. A longer one ends the session before its body is read. */
  readonly mostPacketBytes: number;
  readonly onMessage: (topic: string, payload: Uint8Array) => void;
}

/** A connection to the broker, after a successful sign-in. */
export interface MqttSession {
  /** Subscribes with QoS 1. Rejects when the broker refuses a filter, or the session ends earlier. */
  subscribe(topics: readonly string[]): Promise<void>;
  /** Resolves at the PUBACK with QoS 1, after the write with QoS 0. Rejects when the session ends earlier. */
  publish(topic: string, payload: Uint8Array | string, how: { qos: 0 | 1; retain: boolean }): Promise<void>;
  /** Resolves with the reason when the session has ended, for any cause. Never rejects. */
  readonly ended: Promise<string>;
  /** Sends DISCONNECT: the will is not published. */
  close(): Promise<void>;
  /** Drops the connection: the broker publishes the will. */
  abort(): void;
}

/** Reports a sign-in that the broker refused; `returnCode` is that of MQTT 3.1.1, section 3.2.2.3. */
export class SignInRefused extends Error {
  override readonly name = 'SignInRefused';
  readonly returnCode: number;
  constructor(returnCode: number, message: string) {
    super(message);
    this.returnCode = returnCode;
  }
}

const CONNECT_MS = 10_000;
const KEEPALIVE_SECONDS = 15;
const QOS_2 = 2;
/** SUBACK code of a refused filter (MQTT 3.1.1, section 3.9.3). */
const REFUSED = 0x80;

/**
 * Opens one session over mqtt.js, MQTT 3.1.1. It uses none of the library's queue, reconnect and store: after the session the
 * client is discarded. The library is loaded at the first connect. With `dial` it runs over that connection, and `url` only
 * names the broker: no token is sent before the broker has proved its name. Rejects with the reason; with `SignInRefused` when
 * the broker refuses the sign-in.
 */
export async function openSession(url: string, options: SessionOptions, dial?: Dial): Promise<MqttSession> {
  const { connect, MqttClient: Client } = (await import('mqtt')).default;
  const stream = await dial?.();
  const settings = settingsOf(options);
  const client = stream ? new Client(() => stream, settings) : connect(url, settings);
  const bound = boundIncoming(client, options.mostPacketBytes);
  client.on('message', (topic, payload) => {
    if (!bound.isBroken) options.onMessage(topic, payload);
  });
  return signedIn(client);
}

function settingsOf({ clientId, username, password, will }: SessionOptions): IClientOptions {
  return {
    protocolVersion: 4,
    clean: true,
    clientId,
    username,
    password: Buffer.from(password),
    ...(will ? { will: { topic: will.topic, payload: Buffer.from(will.payload), qos: 1, retain: true } } : {}),
    reconnectPeriod: 0,
    connectTimeout: CONNECT_MS,
    keepalive: KEEPALIVE_SECONDS,
    queueQoSZero: false,
    resubscribe: false,
  };
}

/**
 * Ends the session at a packet that is longer than any of the protocol. MQTT 3.1.1 lets a broker send 256 MB in one packet, and
 * the library would wait for its end. Also ends it at QoS 2, of which the library keeps every message [wire §6].
 */
function boundIncoming(client: MqttClient, mostBytes: number): { readonly isBroken: boolean } {
  const { stream } = client;
  const bound = { isBroken: false };
  const refuse = (problem: string) => {
    bound.isBroken = true;
    // The library forwards an error of the stream only when it has a code.
    if (!stream.destroyed) stream.destroy(Object.assign(new Error(problem), { code: 'EPROTO' }));
  };
  const meter = new FrameMeter({ publish: mostBytes, first: mostBytes, control: mostBytes });
  // Runs before the library's own listener, which gets no bytes after those that announce the packet.
  stream.prependListener('data', (bytes: Uint8Array) => {
    if (meter.feed(bytes) === null) refuse(`the broker sent a packet of more than ${mostBytes} bytes`);
  });
  client.on('packetreceive', (packet) => {
    if (packet.cmd === 'publish' && packet.qos === QOS_2) refuse('the broker sent a message with QoS 2');
  });
  return bound;
}

/** Names the refused filter: the library says only "Unspecified error". */
function subscribeError(error: Error, topics: readonly string[], granted: readonly unknown[]): Error {
  const refused = topics[granted.indexOf(REFUSED)];
  return refused === undefined ? error : new Error(`the broker refused the subscription ${refused}`, { cause: error });
}

async function signedIn(client: MqttClient): Promise<MqttSession> {
  let reason = 'closed by the broker';
  let isEnded = false;
  let refused: SignInRefused | null = null;
  // The library forgets its waiting calls when the connection ends: without this those promises would never settle.
  const waiting = new Set<(error: Error) => void>();
  const ended = new Promise<string>((resolve) => {
    client.on('error', (error) => {
      const { code } = error as { code?: unknown };
      reason = error.message || String(code ?? error);
      if (typeof code === 'number') refused = new SignInRefused(code, reason);
    });
    client.once('close', () => {
      isEnded = true;
      client.end(true);
      for (const reject of waiting) reject(refused ?? new Error(reason));
      resolve(reason);
    });
  });
  const step = <T>(begin: (settle: (error: Error | null | undefined, value: T) => void) => void): Promise<T> =>
    new Promise<T>((resolve, reject) => {
      if (isEnded) return reject(new Error(reason));
      waiting.add(reject);
      begin((error, value) => {
        waiting.delete(reject);
        if (error) reject(error);
        else resolve(value);
      });
    });
  await step<void>((settle) => client.once('connect', () => settle(null)));
  return {
    ended,
    subscribe: (topics) =>
      step<void>((settle) =>
        client.subscribe([...topics], { qos: 1 }, (error, _, packet) =>
          settle(error && subscribeError(error, topics, packet?.granted ?? [])),
        ),
      ),
    publish: (topic, payload, how) =>
      step<void>((settle) => client.publish(topic, Buffer.from(payload as Uint8Array), how, (error) => settle(error))),
    close: async () => {
      reason = 'stopped';
      await client.endAsync();
    },
    abort: () => {
      client.end(true);
      client.stream.destroy();
    },
  };
}
