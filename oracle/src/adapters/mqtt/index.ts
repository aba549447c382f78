import type { Duplex } from 'node:stream';
import {
  base58Encode,
  formatTopic,
  type GatewayStatus,
  type LiveReading,
  parseGatewayStatus,
  parseTopic,
  type Signer,
  signToken,
  subscriptions,
  toHex,
} from '@gridtokenx/protocol';
import mqtt, { type IClientOptions, type IPublishPacket, type MqttClient } from 'mqtt';
import type { Packet } from '../../domain/intake/intake.js';
import type { Logger, Randomness, RealClock } from '../../domain/ports.js';

export interface MqttOptions {
  readonly url: string;
  /** The broker's name, as its tokens are made for. */
  readonly brokerName: string;
  /**
   * Opens a connection whose other side has proved its name, where `url` is mqtts://; rejects with plain words. No token
   * is made known before.
   */
  readonly dial?: (() => Promise<Duplex>) | undefined;
}

export interface MqttDeps {
  readonly signer: Signer;
  readonly realClock: RealClock;
  readonly randomness: Randomness;
  readonly logger: Logger;
  readonly onPacket: (packet: Packet) => void;
  readonly onStatus: (gateway: Uint8Array, status: GatewayStatus | null) => void;
  /** Subscribed again; a broker may have lost what it retained. */
  readonly onConnect: () => void;
}

const TOKEN_SECONDS = 3_600;
/** Tokens begin a little in the past, for clocks that differ. */
const TOKEN_LEEWAY_SECONDS = 60;
const SHORTEST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 30_000;
const CONNECT_TIMEOUT_MS = 10_000;

/**
 * The oracle's connection to the broker. Sessions are clean and nothing is queued here: what a broker forgets, gateways
 * send again, and acks are retained. Each connect has a token of its own; back-off is ours, with jitter.
 */
export class Uplink {
  readonly #options: MqttOptions;
  readonly #deps: MqttDeps;
  readonly #name: string;
  readonly #statusTopic: string;
  #client: MqttClient | null = null;
  #isConnected = false;
  #isStopped = false;
  #failures = 0;
  #cancelRetry: (() => void) | null = null;
  #problem: string | null = 'not connected to the broker yet';

  constructor(options: MqttOptions, deps: MqttDeps) {
    if (!options.dial && !options.url.startsWith('mqtt://')) {
      throw new Error(`${options.url}: nothing opens TLS connections here`);
    }
    this.#options = options;
    this.#deps = deps;
    this.#name = base58Encode(deps.signer.publicKey);
    this.#statusTopic = formatTopic({ kind: 'oracle-status', oracle: deps.signer.publicKey });
  }

  get isConnected(): boolean {
    return this.#isConnected;
  }

  /** Why there is no connection, in plain words; null while there is one. */
  get problem(): string | null {
    return this.#problem;
  }

  start(): void {
    this.#connect();
  }

  /** Says that it goes and closes; resolves when the connection is closed. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancelRetry?.();
    const client = this.#client;
    if (!client) return;
    if (this.#isConnected) {
      await new Promise<void>((resolve) => {
        const cancel = this.#deps.realClock.after(1_000, resolve);
        client.publish(this.#statusTopic, JSON.stringify({ online: false }), { qos: 1, retain: true }, () => {
          cancel();
          resolve();
        });
      });
    }
    await new Promise<void>((resolve) => client.end(true, {}, () => resolve()));
  }

  /** Publishes an ack, retained; false when there is no connection. */
  publishAck(gateway: Uint8Array, message: Uint8Array): boolean {
    const topic = formatTopic({ kind: 'ack', gateway, oracle: this.#deps.signer.publicKey });
    return this.#publish(topic, Buffer.from(message), 1, true);
  }

  /** The projection of a verified reading for dashboards; lost without a connection, as any live value is. */
  publishLive(live: LiveReading, meter: Uint8Array): void {
    this.#publish(formatTopic({ kind: 'live', zone: live.zone, meter }), JSON.stringify(live), 0, false);
  }

  #publish(topic: string, payload: string | Buffer, qos: 0 | 1, retain: boolean): boolean {
    if (!this.#client || !this.#isConnected) return false;
    this.#client.publish(topic, payload, { qos, retain });
    return true;
  }

  #connect(): void {
    if (this.#isStopped) return;
    const { dial } = this.#options;
    if (!dial) {
      this.#open();
      return;
    }
    dial().then(
      (stream) => {
        if (this.#isStopped) stream.destroy();
        else this.#open(stream);
      },
      (error: Error) => {
        this.#log(error);
        this.#retry();
      },
    );
  }

  #open(stream?: Duplex): void {
    const options = this.#clientOptions();
    const client = stream ? new mqtt.MqttClient(() => stream, options) : mqtt.connect(this.#options.url, options);
    this.#client = client;
    client.on('connect', () => this.#connected(client));
    client.on('message', (topic, payload, packet) => this.#received(topic, payload, packet));
    client.on('error', (error) => this.#log(error));
    client.on('close', () => this.#closed(client));
  }

  #clientOptions(): IClientOptions {
    const { signer, realClock, randomness } = this.#deps;
    const now = Math.floor(realClock.now() / 1000);
    const token = signToken(
      {
        broker: this.#options.brokerName,
        clientId: this.#name,
        notBefore: now - TOKEN_LEEWAY_SECONDS,
        expiry: now + TOKEN_SECONDS,
        nonce: randomness.bytes(16),
      },
      signer,
    );
    return {
      clientId: this.#name,
      username: this.#name,
      password: Buffer.from(token) as unknown as string,
      protocolVersion: 4,
      clean: true,
      reconnectPeriod: 0,
      connectTimeout: CONNECT_TIMEOUT_MS,
      queueQoSZero: false,
      resubscribe: false,
      will: { topic: this.#statusTopic, payload: Buffer.from('{"online":false}'), qos: 1, retain: true },
    };
  }

  #connected(client: MqttClient): void {
    client.subscribe(subscriptions.oracle(), { qos: 1 }, (error) => {
      if (error || client !== this.#client) {
        client.end(true);
        return;
      }
      this.#isConnected = true;
      this.#problem = null;
      this.#failures = 0;
      this.#deps.logger.info({ broker: this.#options.url }, 'connected to the broker');
      client.publish(this.#statusTopic, JSON.stringify({ online: true }), { qos: 1, retain: true });
      this.#deps.onConnect();
    });
  }

  #received(topicText: string, payload: Buffer, _packet: IPublishPacket): void {
    const topic = parseTopic(topicText);
    if (topic?.kind === 'stream') {
      const { gateway, meter, stream } = topic;
      this.#deps.onPacket({ gateway, meter: toHex(meter), stream, bytes: new Uint8Array(payload) });
    } else if (topic?.kind === 'gateway-status') {
      this.#deps.onStatus(topic.gateway, payload.length === 0 ? null : parseGatewayStatus(payload.toString('utf8')));
    }
  }

  #closed(client: MqttClient): void {
    if (client !== this.#client) return;
    const wasConnected = this.#isConnected;
    this.#isConnected = false;
    this.#client = null;
    client.end(true);
    if (this.#isStopped) return;
    if (wasConnected) {
      this.#problem = 'the connection to the broker is gone';
      this.#deps.logger.warn({ broker: this.#options.url }, 'the connection to the broker is gone');
    }
    this.#retry();
  }

  #retry(): void {
    if (this.#isStopped) return;
    const longest = Math.min(LONGEST_WAIT_MS, SHORTEST_WAIT_MS * 2 ** this.#failures++);
    const wait = longest * (0.5 + this.#deps.randomness.fraction() / 2);
    this.#cancelRetry = this.#deps.realClock.after(wait, () => this.#connect());
  }

  #log(error: Error): void {
    const problem = `no connection to the broker: ${error.message || String((error as NodeJS.ErrnoException).code)}`;
    // Once for each reason: it may be another one after something was mended.
    if (problem !== this.#problem) this.#deps.logger.warn({ err: error }, 'no connection to the broker: trying again');
    this.#problem = problem;
  }
}
