import {
  asMeterId,
  formatTopic,
  type GatewayStatus,
  type LiveReading,
  parseGatewayStatus,
  parseTopic,
  type Signer,
  subscriptions,
} from '@gridtokenx/protocol';
import type { Clock, Logger, Random } from '@gridtokenx/runtime/core';
import { BrokerLink, type Dial, openSession } from '@gridtokenx/runtime/node';
import type { Packet } from '../../domain/intake/intake.js';

export interface BrokerClientOptions {
  readonly url: string;
  /** The broker's name, which its sign-in tokens state. */
  readonly brokerName: string;
  /** Opens a connection to a peer that has proved its name, where `url` is mqtts://. */
  readonly dial?: Dial | undefined;
  readonly signer: Signer;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/** Handlers of received messages; none may throw. */
export interface BrokerClientHandlers {
  readonly onPacket: (packet: Packet) => void;
  /** `status` is null for a text that is no status. */
  readonly onStatus: (gateway: Uint8Array, status: GatewayStatus | null) => void;
  /** Called after each new subscription: a broker may have lost its retained messages. */
  readonly onConnect: () => void;
}

/**
 * The oracle's connection to the broker. It queues nothing: gateways send again whatever a broker forgets, and acks are
 * retained.
 */
export class BrokerClient {
  readonly #options: BrokerClientOptions;
  readonly #stop = new AbortController();
  #link: BrokerLink | null = null;
  #running: Promise<void> = Promise.resolve();

  constructor(options: BrokerClientOptions) {
    this.#options = options;
  }

  get isConnected(): boolean {
    return this.#link?.isConnected ?? false;
  }

  /** Returns why there is no connection, in plain words; null while connected. */
  get problem(): string | null {
    return this.#link ? this.#link.problem : 'not connected to the broker yet';
  }

  /** Connects, and reconnects until `stop`. Throws an `Error` for a url with an unknown scheme. */
  start({ onPacket, onStatus, onConnect }: BrokerClientHandlers): void {
    const { url, brokerName, dial, signer, clock, random, log } = this.#options;
    this.#link = new BrokerLink({
      ...{ url, broker: brokerName, dial, signer, clock, random, log, open: openSession },
      subscriptions: subscriptions.oracle(),
      status: {
        topic: formatTopic({ kind: 'oracle-status', oracle: signer.publicKey }),
        text: (isOnline) => JSON.stringify({ online: isOnline }),
      },
      onMessage: (name, payload) => {
        const topic = parseTopic(name);
        if (topic?.kind === 'stream') {
          const { gateway, meter, stream } = topic;
          onPacket({ gateway, meter: asMeterId(meter), stream, bytes: new Uint8Array(payload) });
        } else if (topic?.kind === 'gateway-status') {
          const text = Buffer.from(payload).toString('utf8');
          onStatus(topic.gateway, text === '' ? null : parseGatewayStatus(text));
        }
      },
      onConnected: onConnect,
    });
    this.#running = this.#link.run(this.#stop.signal);
  }

  /** Publishes the offline status and closes; resolves when the connection is closed. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  /** Publishes an ack, retained; returns false without a connection. */
  publishAck(gateway: Uint8Array, message: Uint8Array): boolean {
    const topic = formatTopic({ kind: 'ack', gateway, oracle: this.#options.signer.publicKey });
    return this.#publish(topic, message, { qos: 1, retain: true });
  }

  /**
   * Publishes the projection of a verified reading for dashboards. Without a connection it is lost, like any live
   * value.
   */
  publishLive(live: LiveReading, meter: Uint8Array): void {
    this.#publish(formatTopic({ kind: 'live', zone: live.zone, meter }), JSON.stringify(live), { qos: 0 });
  }

  #publish(topic: string, payload: Uint8Array | string, how: { qos: 0 | 1; retain?: boolean }): boolean {
    if (!this.#link?.isConnected) return false;
    // The oracle sends all acks again after the next connection.
    this.#link.publish(topic, payload, how).catch(() => {});
    return true;
  }
}
