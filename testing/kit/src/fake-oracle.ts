import {
  type Ack,
  asWindow,
  base58Encode,
  decodePayload,
  EventCode,
  ed25519Signer,
  formatTopic,
  Kind,
  latestWindow,
  type Payload,
  parseSign1,
  parseTopic,
  publicKeyFromBase58,
  Reason,
  shortHash,
  signAck,
  signToken,
  splitSequence,
  subscriptions,
  toHex,
} from '@gridtokenx/protocol';
import { connect, type MqttClient } from 'mqtt';

/** Messages seen on the wire of one meter, in their order of arrival. */
export interface Seen {
  readonly payload: Payload;
  readonly payloadBytes: Uint8Array;
  readonly message: Uint8Array;
  readonly stream: string;
}

/** An oracle for tests: stores messages in memory and acks them [wire §8]. It verifies nothing. */
export class TestOracle {
  readonly signer;
  readonly name;
  readonly seen: Seen[] = [];
  readonly statuses: { online: boolean; session: string }[] = [];
  acking = true;
  ledgerId = new Uint8Array(16).fill(1);
  refuse: (seen: Seen) => boolean = () => false;
  readonly #gateway: Uint8Array;
  #client: MqttClient | null = null;
  #timeMs = Date.now();
  #stored = new Map<string, Map<bigint, Seen>>();

  /** `place`: the index among several oracles. */
  constructor(gateway: Uint8Array, place = 0) {
    this.signer = ed25519Signer(new Uint8Array(32).fill(77 + place));
    this.name = base58Encode(this.signer.publicKey);
    this.#gateway = gateway;
  }

  async connect(url: string, broker: string): Promise<void> {
    const now = Math.floor(Date.now() / 1000);
    // A token is valid once.
    const nonce = crypto.getRandomValues(new Uint8Array(16));
    const token = { broker, clientId: this.name, notBefore: now - 60, expiry: now + 3600, nonce };
    const client = connect(url, {
      clientId: this.name,
      username: this.name,
      password: Buffer.from(signToken(token, this.signer)),
      reconnectPeriod: 100,
    });
    this.#client = client;
    client.on('error', () => {});
    client.on('message', (topic, packet) => this.#receive(topic, packet));
    await new Promise<void>((resolve) => client.once('connect', () => resolve()));
    await client.subscribeAsync(subscriptions.oracle(), { qos: 1 });
  }

  close(): Promise<void> {
    return this.#client ? this.#client.endAsync(true) : Promise.resolve();
  }

  /** Loses everything that was stored. */
  loseLedger(): void {
    this.ledgerId = this.ledgerId.map((byte) => byte + 1);
    this.#stored = new Map();
    this.ack();
  }

  stored(meter: string): ReadonlyMap<bigint, Seen> {
    return this.#stored.get(meter) ?? new Map();
  }

  storedThrough(meter: string): bigint {
    const stored = this.stored(meter);
    const gaps = Array.from(stored.values(), ({ payload }) => payload).filter(
      (payload) => payload.kind === Kind.event && payload.code === EventCode.gap,
    );
    const declared = (seq: bigint) =>
      gaps.some((gap) => gap.kind === Kind.event && seq >= gap.value && seq < gap.value + BigInt(gap.detail));
    let through = 0n;
    while (stored.has(through + 1n) || declared(through + 1n)) through++;
    return through;
  }

  ack(change: Partial<Ack> = {}): void {
    const meters = new Map(
      Array.from(this.#stored, ([meter, stored]) => {
        const windows = Array.from(stored.values(), ({ payload }) =>
          payload.kind === Kind.statement ? payload.window : asWindow(0),
        );
        const highestSeen = [...stored.keys()].reduce((a, b) => (a > b ? a : b), 0n);
        const mark = {
          storedThrough: this.storedThrough(meter),
          highestSeen,
          highestWindow: latestWindow(asWindow(0), ...windows),
        };
        return [meter, mark] as const;
      }),
    );
    const refused = this.seen
      .filter((seen) => this.refuse(seen))
      .slice(0, 200)
      .map(({ message }) => ({ hash: shortHash(message), reason: Reason.registerFell }));
    this.#timeMs = Math.max(this.#timeMs + 1, Date.now());
    const ack = { ledgerId: this.ledgerId, timeMs: this.#timeMs, gateway: this.#gateway, meters, refused, ...change };
    const topic = formatTopic({ kind: 'ack', gateway: this.#gateway, oracle: this.signer.publicKey });
    this.#client?.publish(topic, Buffer.from(signAck(ack, this.signer)), { qos: 1, retain: true });
  }

  #receive(topicText: string, packet: Uint8Array): void {
    const topic = parseTopic(topicText);
    if (topic?.kind === 'gateway-status') this.statuses.push(JSON.parse(Buffer.from(packet).toString()));
    if (topic?.kind !== 'stream') return;
    for (const message of splitSequence(packet)) {
      const { payload: payloadBytes } = parseSign1(message);
      const seen: Seen = {
        payload: decodePayload(payloadBytes),
        payloadBytes,
        message: message.slice(),
        stream: topic.stream,
      };
      this.seen.push(seen);
      if (!this.acking || this.refuse(seen)) continue;
      const meter = toHex(topic.meter);
      const stored = this.#stored.get(meter) ?? new Map<bigint, Seen>();
      this.#stored.set(meter, stored);
      stored.set(seen.payload.seq, seen);
    }
    if (this.acking) this.ack();
  }
}

/** Returns seqs that were seen with two different contents, which must never happen. */
export function reusedSeqs(seen: readonly Seen[]): string[] {
  const first = new Map<string, string>();
  const reused = new Set<string>();
  for (const { payload, message } of seen) {
    const name = `${toHex(payload.meterId)}/${payload.seq}`;
    const hex = toHex(message);
    if ((first.get(name) ?? hex) !== hex) reused.add(name);
    first.set(name, first.get(name) ?? hex);
  }
  return [...reused];
}

/** Returns the 32 bytes of a gateway's name. */
export function gatewayKey(name: string): Uint8Array {
  return publicKeyFromBase58(name);
}
