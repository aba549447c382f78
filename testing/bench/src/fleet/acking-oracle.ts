import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import {
  asWindow,
  decodePayload,
  EventCode,
  ed25519Signer,
  formatTopic,
  Kind,
  parseSign1,
  parseTopic,
  shortHash,
  signAck,
  signTime,
  splitSequence,
  subscriptions,
  toHex,
  type Window,
} from '@gridtokenx/protocol';
import { seedOf, signIn } from '../brokers.js';
import type { LoadClient } from '../mqtt-client.js';
import { Arrivals } from './arrivals.js';

const ACK_MS = 1_000;
const RETRY_MS = 200;
const LEDGER_ID = new Uint8Array(16).fill(1);

/**
 * An oracle for one gateway: records what arrives, acknowledges it once a second, and states the time. It verifies
 * nothing. Signs in to several brokers, and again when one of them comes back.
 */
export class AckingOracle {
  static readonly signer = ed25519Signer(seedOf(0));
  readonly arrivals = new Arrivals();
  readonly signer = AckingOracle.signer;
  readonly #brokers: readonly number[];
  readonly #clients = new Map<number, LoadClient>();
  readonly #windows = new Map<string, Window>();
  readonly #end = new AbortController();
  readonly #work: Promise<void>[] = [];
  readonly #server: Server;
  #gateway: Uint8Array | null = null;
  #timeMs = 0;
  #hasNews = false;
  /** Instant of the first message through each broker, by its port, ms since 1970. */
  readonly firstAtMs = new Map<number, number>();

  /** `brokers`: their ports. */
  constructor(brokers: readonly number[]) {
    this.#brokers = brokers;
    this.#server = createServer((request, response) => {
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('end', () => {
        const nonce = new Uint8Array(Buffer.concat(parts));
        response.end(Buffer.from(signTime({ timeMs: Date.now(), nonce }, this.signer)));
      });
    });
  }

  /** Begins to serve; resolves with the URL of its time. */
  async start(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    for (const port of this.#brokers) this.#work.push(this.#follow(port));
    this.#work.push(this.#acks());
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#end.abort();
    await Promise.all(this.#work);
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #follow(port: number): Promise<void> {
    const { signal } = this.#end;
    const ended = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
    while (!signal.aborted) {
      try {
        const client = await signIn(port, seedOf(0), (topic, packet) => this.#take(port, topic, packet));
        await client.subscribe(subscriptions.oracle());
        this.#clients.set(port, client);
        await Promise.race([client.failed, ended]);
        client.close();
      } catch {
        // The broker is away: it is tried again below.
      }
      this.#clients.delete(port);
      if (!signal.aborted) await Promise.race([delay(RETRY_MS), ended]);
    }
  }

  #take(port: number, topicText: string, packet: Uint8Array): void {
    const topic = parseTopic(topicText);
    if (topic?.kind !== 'stream') return;
    this.#gateway ??= topic.gateway;
    this.#hasNews = true;
    if (!this.firstAtMs.has(port)) this.firstAtMs.set(port, Date.now());
    const meter = toHex(topic.meter);
    for (const message of splitSequence(packet)) {
      const payload = decodePayload(parseSign1(message).payload);
      if (!this.arrivals.message(meter, Number(payload.seq), toHex(shortHash(message)))) continue;
      if (payload.kind === Kind.reading) this.arrivals.value(meter, Math.floor(Number(payload.timeMs) / 1_000));
      else if (payload.kind === Kind.statement) this.#windows.set(meter, payload.window);
      else if (payload.kind === Kind.event && payload.code === EventCode.gap)
        this.arrivals.declare(meter, Number(payload.value), payload.detail);
    }
  }

  async #acks(): Promise<void> {
    const { signal } = this.#end;
    while (!signal.aborted) {
      await delay(ACK_MS, undefined, { signal }).catch(() => {});
      const gateway = this.#gateway;
      if (!gateway || !this.#hasNews) continue;
      this.#hasNews = false;
      const payload = this.#ack(gateway);
      const topic = formatTopic({ kind: 'ack', gateway, oracle: this.signer.publicKey });
      for (const client of this.#clients.values())
        await client.publishAll([{ topic, payload, retain: true }], 1).catch(() => {});
    }
  }

  #ack(gateway: Uint8Array): Uint8Array {
    this.#timeMs = Math.max(this.#timeMs + 1, Date.now());
    const meters = new Map(
      this.arrivals.meters.map((meter) => {
        const { storedThrough, highest } = this.arrivals.mark(meter);
        const highestWindow = this.#windows.get(meter) ?? asWindow(0);
        return [meter, { storedThrough: BigInt(storedThrough), highestSeen: BigInt(highest), highestWindow }] as const;
      }),
    );
    return signAck({ ledgerId: LEDGER_ID, timeMs: this.#timeMs, gateway, meters, refused: [] }, this.signer);
  }
}
