import {
  type Ack,
  asPublicKeyText,
  base58Encode,
  formatTopic,
  fromHex,
  type GatewayStatus,
  liveStream,
  openAck,
  type PublicKeyText,
  parseTopic,
  type Signer,
  signToken,
  subscriptions,
  type Verifier,
} from '@gridtokenx/protocol';
import type { Counters, Logger, MqttLink, MqttSession, Randomness, RealTime } from '../ports.js';
import { pause } from '../wait.js';
import { Backoff } from './backoff.js';
import type { Outbox } from './outbox.js';
import type { Packet } from './packet.js';

const TOKEN_SECONDS = 3_600;
/** The broker's clock may be a little behind ours. */
const TOKEN_EARLY_SECONDS = 60;
const MOST_PACKETS = 8;
const PUBACK_MS = 15_000;
const STATUS_MS = 30_000;
const TICK_MS = 500;
const FIRST_RECONNECT_MS = 250;
const LAST_RECONNECT_MS = 30_000;

export interface UplinkOptions {
  readonly broker: string;
  /** Configured oracles, 32 bytes each. */
  readonly oracles: readonly Uint8Array[];
  readonly signer: Signer;
  readonly verifier: Verifier;
  readonly link: MqttLink;
  readonly real: RealTime;
  readonly random: Randomness;
  readonly log: Logger;
  readonly counters: Counters;
  readonly outbox: Outbox;
  readonly status: () => Omit<GatewayStatus, 'online' | 'session'>;
  /** A genuine ack for this gateway by a configured oracle. */
  readonly onAck: (oracle: PublicKeyText, ack: Ack) => void;
  /** The subscriptions are in force: retained acks come now, if there are any. */
  readonly onSubscribed: () => void;
}

/**
 * The trip to the broker: one session after the other, each with a new token, own back-off, a small number of packets
 * on the way. The spool is the only queue; a PUBACK deletes nothing.
 */
export class Uplink {
  readonly #o: UplinkOptions;
  readonly #gateway: string;
  #online = false;
  #problem: string | null = 'not connected to the broker yet';
  #released = false;
  #poked = false;
  #wake: () => void = () => {};

  constructor(options: UplinkOptions) {
    this.#o = options;
    this.#gateway = base58Encode(options.signer.publicKey);
  }

  get online(): boolean {
    return this.#online;
  }
  get problem(): string | null {
    return this.#problem;
  }

  /** From here on messages may be sent: it is known that no restored image would repeat a seq. */
  release(): void {
    if (this.#released) return;
    this.#released = true;
    if (this.#online) this.#o.outbox.connected(this.#o.real.nowMs());
    this.poke();
  }

  /** Something was committed or acknowledged. */
  poke(): void {
    this.#poked = true;
    this.#wake();
  }

  /** Connects, and connects again, until aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { real, random, log, counters } = this.#o;
    const backoff = new Backoff(FIRST_RECONNECT_MS, LAST_RECONNECT_MS, random);
    while (!signal.aborted) {
      try {
        const reason = await this.#session(signal, () => backoff.reset());
        if (signal.aborted) return;
        this.#problem = `the connection to the broker ended: ${reason}`;
      } catch (error) {
        counters.add('connect_errors');
        this.#problem = `no connection to the broker: ${error instanceof Error ? error.message : String(error)}`;
      }
      const waitMs = backoff.next();
      log.warn({ waitMs, problem: this.#problem }, 'no session with the broker: trying again');
      await pause(real, waitMs, signal);
    }
  }

  /** One session; resolves with the reason of its end. */
  async #session(signal: AbortSignal, established: () => void): Promise<string> {
    const { link, signer, broker, real, random, outbox, counters, log } = this.#o;
    const nowSeconds = Math.floor(real.nowMs() / 1000);
    const name = base58Encode(random.bytes(8));
    const statusTopic = formatTopic({ kind: 'gateway-status', gateway: signer.publicKey });
    const status = (online: boolean): string => JSON.stringify({ online, session: name, ...this.#o.status() });
    const token = {
      broker,
      clientId: this.#gateway,
      notBefore: nowSeconds - TOKEN_EARLY_SECONDS,
      expiry: nowSeconds + TOKEN_SECONDS,
      nonce: random.bytes(16),
    };
    const session = await link.connect({
      clientId: this.#gateway,
      username: this.#gateway,
      password: signToken(token, signer),
      will: { topic: statusTopic, payload: status(false) },
    });
    const end = new AbortController();
    const ended = session.ended.finally(() => end.abort());
    try {
      session.onMessage((topic, payload) => this.#receive(topic, payload));
      await this.#within(session, session.subscribe(subscriptions.gateway(signer.publicKey)));
      await this.#within(session, session.publish(statusTopic, status(true), true));
      this.#online = true;
      this.#problem = null;
      counters.add('connects');
      established();
      log.info({ session: name }, 'connected to the broker');
      this.#o.onSubscribed();
      if (this.#released) outbox.connected(real.nowMs());
      const stop = AbortSignal.any([signal, end.signal]);
      await Promise.all([
        this.#pump(session, stop),
        this.#every(STATUS_MS, stop, () => session.publish(statusTopic, status(true), true)),
        this.#every(TICK_MS, stop, async () => this.#tick()),
      ]);
      if (!signal.aborted) return await ended;
      await this.#within(session, session.publish(statusTopic, status(false), true)).catch(() => {});
      await session.close();
      return 'stopped';
    } catch (error) {
      session.abort();
      throw error;
    } finally {
      this.#online = false;
      outbox.disconnected();
    }
  }

  #tick(): void {
    const { outbox, real, counters } = this.#o;
    if (outbox.checkProgress(real.nowMs())) counters.add('resends');
    this.poke();
  }

  async #every(delayMs: number, stop: AbortSignal, call: () => Promise<unknown>): Promise<void> {
    for (;;) {
      await pause(this.#o.real, delayMs, stop);
      if (stop.aborted) return;
      await call().catch(() => {});
    }
  }

  /** Keeps up to `MOST_PACKETS` on the way while there is something to send. */
  async #pump(session: MqttSession, stop: AbortSignal): Promise<void> {
    let onTheWay = 0;
    while (!stop.aborted) {
      this.#poked = false;
      const packet = this.#released && onTheWay < MOST_PACKETS ? await this.#o.outbox.next() : null;
      if (!packet) {
        await this.#poking(stop);
        continue;
      }
      onTheWay++;
      this.#within(
        session,
        session.publish(this.#topic(packet), Buffer.concat(packet.messages.map(({ bytes }) => bytes)), false),
      )
        .then(() => {
          this.#o.counters.add('publishes', { stream: packet.live ? 'live' : 'backfill' });
          this.#o.counters.add('messages_sent', {}, packet.messages.length);
        })
        .catch((error: unknown) => {
          if (!stop.aborted) this.#o.log.warn({ error: String(error) }, 'a publish failed: the connection is given up');
          session.abort();
        })
        .finally(() => {
          onTheWay--;
          this.poke();
        });
    }
  }

  /** Waits until something was committed, acknowledged or answered since `#poked` was last cleared. */
  #poking(stop: AbortSignal): Promise<void> {
    if (this.#poked || stop.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const end = () => {
        stop.removeEventListener('abort', end);
        resolve();
      };
      this.#wake = end;
      stop.addEventListener('abort', end);
    });
  }

  #topic(packet: Packet): string {
    const stream = packet.live ? liveStream(packet.kind) : 'backfill';
    return formatTopic({ kind: 'stream', gateway: this.#o.signer.publicKey, meter: fromHex(packet.meterId), stream });
  }

  /** A broker that does not answer in time is as good as gone: own deadline on every step. */
  #within<T>(session: MqttSession, step: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const cancel = this.#o.real.schedule(PUBACK_MS, () => {
        session.abort();
        reject(new Error(`the broker gave no answer within ${PUBACK_MS / 1000} s`));
      });
      step.then(resolve, reject).finally(cancel);
    });
  }

  #receive(topicText: string, payload: Uint8Array): void {
    const topic = parseTopic(topicText);
    if (topic?.kind !== 'ack') return;
    const { oracles, verifier, counters, signer, log } = this.#o;
    const oracle = asPublicKeyText(topic.oracle);
    const configured = oracles.some((key) => base58Encode(key) === oracle);
    try {
      if (!configured) throw new Error('not a configured oracle');
      const ack = openAck(payload, topic.oracle, verifier);
      if (base58Encode(ack.gateway) !== base58Encode(signer.publicKey)) throw new Error('an ack for another gateway');
      counters.add('acks');
      this.#o.onAck(oracle, ack);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      counters.add('acks_ignored');
      log.warn({ oracle, why: error.message }, 'an ack was ignored');
    }
  }
}
