import {
  asPublicKeyText,
  base58Encode,
  formatTopic,
  fromHex,
  liveStream,
  type MeterId,
  openAck,
  type PublicKeyText,
  parseGatewayStatus,
  parseOracleStatus,
  parseTopic,
  subscriptions,
} from '@gridtokenx/protocol';
import { StateLog, sleep } from '@gridtokenx/runtime/core';
import { CloneWatch } from './clone-watch.js';
import type { Packet } from './packet.js';
import type { Broker } from './ports.js';
import { SessionTimes } from './session-times.js';
import type { UplinkOptions } from './uplink-options.js';

/** Bounds the packets in flight: 500 live readings a second need them where a PUBACK takes 60 ms. */
const MAX_PACKETS = 32;
const STATUS_MS = 30_000;
const TICK_MS = 500;
/** Bounds the remembered oracles that the configuration does not name. */
const MAX_STRANGERS = 4;

/**
 * Publishes to the broker: a small number of packets in flight over the session of the moment. The spool is the only
 * queue; a PUBACK deletes nothing [gateway §11.1].
 */
export class Uplink {
  readonly #options: UplinkOptions;
  readonly #broker: Broker;
  readonly #statusTopic: string;
  /** Name of the session; null while there is none. */
  #session: string | null = null;
  readonly #times: SessionTimes;
  readonly #states: StateLog;
  readonly #strangers = new Set<PublicKeyText>();
  readonly #clones: CloneWatch;
  /** The highest seq of each meter that was given to the broker in this run. */
  readonly #sent = new Map<MeterId, bigint>();
  #released = false;
  #wasHolding = false;
  #poked = false;
  #wake: () => void = () => {};

  constructor(options: UplinkOptions) {
    this.#options = options;
    const { gateway, clock } = options;
    this.#clones = new CloneWatch(clock);
    this.#times = new SessionTimes(clock);
    this.#states = new StateLog(options.log, clock);
    this.#statusTopic = formatTopic({ kind: 'gateway-status', gateway });
    this.#broker = options.openBroker({
      subscriptions: [...subscriptions.gateway(gateway), this.#statusTopic],
      status: { topic: this.#statusTopic, text: (isOnline, session) => this.#statusText(isOnline, session) },
      onMessage: (topic, payload) => this.#receive(topic, payload),
      onConnected: (session) => this.#connected(session),
      onDisconnected: () => this.#disconnected(),
    });
  }

  get online(): boolean {
    return this.#broker.isConnected;
  }
  /** Address of the broker in use. */
  get brokerUrl(): string {
    return this.#broker.url;
  }
  get problem(): string | null {
    return this.#broker.problem;
  }

  /** Lists oracles that sent genuine acks for this gateway and that the configuration does not name. */
  get strangers(): readonly PublicKeyText[] {
    return [...this.#strangers];
  }

  /** Names another gateway that uses this key; null while there is none. */
  get cloneProblem(): string | null {
    return this.#clones.problem;
  }

  /** Returns the highest seq of a meter that this run has sent; 0 for none. */
  sentThrough(meterId: MeterId): bigint {
    return this.#sent.get(meterId) ?? 0n;
  }

  /** Records that an oracle has a message of this meter which this run never sent. */
  foreignMessage(meter: string): void {
    this.#clones.foreignMessage(meter);
  }

  /** Allows sending: from now on no restored image can repeat a seq. */
  release(): void {
    if (this.#released) return;
    this.#released = true;
    if (this.#session !== null) this.#options.outbox.connected(this.#options.clock.monotonicMs());
    this.poke();
  }

  /** Signs in again at once where there is no session: the clock was corrected. */
  retryNow(): void {
    this.#broker.retryNow();
  }

  /** Wakes the sender after a commit or an ack. */
  poke(): void {
    this.#poked = true;
    this.#wake();
  }

  /** Connects, and reconnects, until aborted. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([
      this.#broker.run(signal),
      this.#pump(signal),
      this.#every(STATUS_MS, signal, () => this.#publishStatus()),
      this.#every(TICK_MS, signal, async () => this.#tick()),
    ]);
    this.#options.outbox.disconnected();
  }

  #statusText(isOnline: boolean, session: string): string {
    this.#clones.opens(session);
    const status = this.#options.status(isOnline);
    const times = this.#times.of(session);
    return JSON.stringify({ online: isOnline, session, ...(status.clockSynchronised ? times : {}), ...status });
  }

  async #publishStatus(): Promise<void> {
    const session = this.#session;
    if (session !== null)
      await this.#broker.publish(this.#statusTopic, this.#statusText(true, session), { retain: true });
  }

  #connected(session: string): void {
    const { counters, outbox, onSubscribed, clock } = this.#options;
    this.#session = session;
    this.#clones.connected(this.#broker.url);
    counters.add('connects');
    onSubscribed();
    if (this.#released) outbox.connected(clock.monotonicMs());
    this.poke();
  }

  #disconnected(): void {
    if (this.#session === null) this.#options.counters.add('connect_errors');
    this.#session = null;
    this.#options.outbox.disconnected();
    this.#options.onDisconnected();
  }

  #tick(): void {
    const { outbox, clock, counters } = this.#options;
    if (this.#session === null) return;
    const isHolding = this.#clones.isHolding;
    // Sends again from the watermarks: by now the acks state what another gateway sent.
    if (this.#wasHolding && !isHolding && this.#released) outbox.connected(clock.monotonicMs());
    this.#wasHolding = isHolding;
    if (!isHolding && outbox.checkProgress(clock.monotonicMs())) counters.add('resends');
    this.poke();
  }

  async #every(delayMs: number, stop: AbortSignal, call: () => Promise<unknown>): Promise<void> {
    for (;;) {
      await sleep(this.#options.clock, delayMs, stop);
      if (stop.aborted) return;
      await call().catch(() => {});
    }
  }

  /** Keeps up to `MAX_PACKETS` in flight while there is something to send. */
  async #pump(stop: AbortSignal): Promise<void> {
    let onTheWay = 0;
    const over = () => {
      onTheWay--;
      this.poke();
    };
    while (!stop.aborted) {
      this.#poked = false;
      const session = this.#session;
      const isFree = this.#released && !this.#clones.isHolding;
      const mayGo = isFree && session !== null && onTheWay < MAX_PACKETS;
      const packet = mayGo ? await this.#options.outbox.next() : null;
      if (!packet) {
        await this.#poking(stop);
        continue;
      }
      // The packet was for a session that has ended, or another gateway was noticed: sending begins again at the watermark.
      if (session !== this.#session || this.#clones.isHolding) continue;
      onTheWay++;
      this.#send(packet, session).then(over, over);
    }
  }

  /** Publishes a packet. Never rejects: the scheduler sends again what did not arrive. */
  async #send(packet: Packet, session: string | null): Promise<void> {
    const { counters, log } = this.#options;
    const bytes = Buffer.concat(packet.messages.map((message) => message.bytes));
    for (const { seq } of packet.messages)
      if (seq > this.sentThrough(packet.meterId)) this.#sent.set(packet.meterId, seq);
    try {
      await this.#broker.publish(this.#topic(packet), bytes);
      this.#states.ended('publish', { event: 'publish_works' }, 'The broker takes messages again');
      counters.add('publishes', { stream: packet.live ? 'live' : 'backfill' });
      counters.add('messages_sent', {}, packet.messages.length);
      const sent = { meter: packet.meterId, messages: packet.messages.length, live: packet.live };
      log.debug({ event: 'messages_published', ...sent }, 'Published messages');
    } catch (error) {
      if (session !== this.#session) return;
      const fields = { event: 'publish_failed', err: String(error) };
      this.#states.holds('publish', fields, 'Failed to publish: the gateway closes the connection');
      this.#broker.drop();
    }
  }

  /** Waits until a commit, an ack or an answer after `#poked` was last cleared. */
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
    return formatTopic({ kind: 'stream', gateway: this.#options.gateway, meter: fromHex(packet.meterId), stream });
  }

  #receive(topicText: string, payload: Uint8Array): void {
    const topic = parseTopic(topicText);
    if (topic?.kind === 'gateway-status') {
      const status = parseGatewayStatus(Buffer.from(payload).toString('utf8'));
      if (status) this.#clones.heard(status, this.#broker.url);
    } else if (topic?.kind === 'oracle-status') {
      const status = parseOracleStatus(Buffer.from(payload).toString('utf8'));
      if (status) this.#options.onOracleStatus(asPublicKeyText(topic.oracle), status.online);
    } else if (topic?.kind === 'ack') this.#receiveAck(topic.oracle, payload);
  }

  #receiveAck(key: Uint8Array, payload: Uint8Array): void {
    const { oracles, verifier, counters, gateway, log } = this.#options;
    const oracle = asPublicKeyText(key);
    const configured = oracles.some((one) => base58Encode(one) === oracle);
    try {
      const ack = openAck(payload, key, verifier);
      if (base58Encode(ack.gateway) !== base58Encode(gateway)) throw new Error('an ack for another gateway');
      if (!configured) {
        if (this.#strangers.size < MAX_STRANGERS) this.#strangers.add(oracle);
        throw new Error('not a configured oracle');
      }
      counters.add('acks');
      this.#states.ended(`ack ${oracle}`, { event: 'acks_accepted', oracle }, 'Accepts acks again');
      log.debug(
        { event: 'ack_received', oracle, meters: ack.meters.size, refused: ack.refused.length },
        'Received an ack',
      );
      this.#options.onAck(oracle, ack);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      counters.add('acks_ignored');
      // One state for all strangers: their number has no bound.
      const key = configured ? `ack ${oracle}` : 'acks of strangers';
      this.#states.holds(key, { event: 'ack_ignored', oracle, why: error.message }, 'Ignored an ack');
    }
  }
}
