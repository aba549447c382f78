import type { Duplex } from 'node:stream';
import type { IClientOptions } from 'mqtt';
import type { MqttConnect, MqttLink, MqttSession } from '../../domain/ports.js';

const CONNECT_MS = 10_000;
const KEEPALIVE_SECONDS = 15;

/**
 * Sessions over mqtt.js, MQTT 3.1.1. The library's own queue, reconnect and store are kept out of use: one client per
 * session, and when it ends it is thrown away. The library is loaded at the first connect. With `dial` it runs over the
 * connections that this opens, and `url` only names the broker; no token is made known before the broker is.
 */
export function mqttLink(url: string, dial?: () => Promise<Duplex>): MqttLink {
  if (!dial && !url.startsWith('mqtt://')) throw new Error(`${url}: nothing opens TLS connections here`);
  return { connect: (options) => open(url, options, dial) };
}

async function open(url: string, options: MqttConnect, dial?: () => Promise<Duplex>): Promise<MqttSession> {
  const { connect, MqttClient } = (await import('mqtt')).default;
  const stream = await dial?.();
  const clientOptions: IClientOptions = {
    protocolVersion: 4,
    clean: true,
    clientId: options.clientId,
    username: options.username,
    password: Buffer.from(options.password),
    will: { topic: options.will.topic, payload: Buffer.from(options.will.payload), qos: 1, retain: true },
    reconnectPeriod: 0,
    connectTimeout: CONNECT_MS,
    keepalive: KEEPALIVE_SECONDS,
    queueQoSZero: false,
    resubscribe: false,
  };
  const client = stream ? new MqttClient(() => stream, clientOptions) : connect(url, clientOptions);
  let reason = 'closed by the broker';
  // The library forgets a publish whose connection ends: its promise would never settle without this.
  const waiting = new Set<(error: Error) => void>();
  const ended = new Promise<string>((resolve) => {
    client.on('error', (error) => {
      reason = error.message || String((error as NodeJS.ErrnoException).code ?? error);
    });
    client.once('close', () => {
      client.end(true);
      for (const reject of waiting) reject(new Error(reason));
      resolve(reason);
    });
  });
  await new Promise<void>((resolve, reject) => {
    client.once('connect', () => resolve());
    ended.then((why) => reject(new Error(why)));
  });
  return {
    ended,
    subscribe: async (topics) => {
      const granted = await client.subscribeAsync([...topics], { qos: 1 });
      const refused = granted.find(({ qos }) => qos > 2);
      if (refused) throw new Error(`the broker refused the subscription ${refused.topic}`);
    },
    publish: (topic, payload, retain) =>
      new Promise((resolve, reject) => {
        waiting.add(reject);
        client.publish(topic, Buffer.from(payload), { qos: 1, retain }, (error) => {
          waiting.delete(reject);
          if (error) reject(error);
          else resolve();
        });
      }),
    onMessage: (listener) => {
      client.on('message', (topic, payload) => listener(topic, payload));
    },
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
