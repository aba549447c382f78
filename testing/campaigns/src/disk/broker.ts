import { formatTopic, parseTopic, splitSequence } from '@gridtokenx/protocol';
import type { MqttSession, SessionOptions } from '@gridtokenx/runtime/node';
import type { Home, Witness } from './world.js';

type Receive = (packet: { gateway: Uint8Array; meter: Uint8Array; bytes: Uint8Array }) => void;

interface Session {
  readonly home: Home;
  readonly listener: (topic: string, payload: Uint8Array) => void;
  end: (why: string) => void;
  isOpen: boolean;
}

/**
 * A broker without disk: it answers every publish, keeps retained acks in memory, and forwards packets to an oracle
 * only if one is connected. So a PUBACK promises nothing.
 */
export class MemoryBroker {
  readonly #witness: Witness;
  readonly #oracle: Uint8Array;
  readonly #sessions = new Set<Session>();
  #retained = new Map<string, Uint8Array>();
  /** The oracle's subscription; null while the oracle is away. */
  receive: Receive | null = null;
  /** Number of packets that were answered and not delivered. */
  dropped = 0;

  constructor(witness: Witness, oracle: Uint8Array) {
    this.#witness = witness;
    this.#oracle = oracle;
  }

  /** Kills and restarts the broker: sessions and memory are lost. */
  restart(): void {
    this.#retained = new Map();
    this.endSessions('the broker went away');
  }

  endSessions(why: string, home?: Home): void {
    for (const session of [...this.#sessions]) if (!home || session.home === home) session.end(why);
  }

  acknowledge(gateway: Uint8Array, ack: Uint8Array): void {
    const topic = formatTopic({ kind: 'ack', gateway, oracle: this.#oracle });
    this.#retained.set(topic, ack);
    for (const { home, listener } of this.#sessions)
      if (Buffer.compare(home.gateway.publicKey, gateway) === 0) listener(topic, ack);
  }

  /** Opens a session of a home's gateway. */
  async open(home: Home, options: SessionOptions): Promise<MqttSession> {
    const session: Session = { home, listener: options.onMessage, end: () => {}, isOpen: true };
    this.#sessions.add(session);
    const ended = new Promise<string>((resolve) => {
      session.end = (why) => {
        session.isOpen = false;
        this.#sessions.delete(session);
        resolve(why);
      };
    });
    return {
      ended,
      subscribe: async () => {
        const topic = formatTopic({ kind: 'ack', gateway: home.gateway.publicKey, oracle: this.#oracle });
        const retained = this.#retained.get(topic);
        if (retained) session.listener(topic, retained);
      },
      publish: async (topic, payload) => {
        if (!session.isOpen) throw new Error('the session has ended');
        this.#take(home, topic, payload);
      },
      close: async () => session.end('closed'),
      abort: () => session.end('aborted'),
    };
  }

  #take(home: Home, topicText: string, payload: Uint8Array | string): void {
    const topic = parseTopic(topicText);
    if (topic?.kind !== 'stream' || typeof payload === 'string') return;
    for (const message of splitSequence(payload)) this.#witness.sees(message);
    if (!this.receive) this.dropped++;
    else this.receive({ gateway: home.gateway.publicKey, meter: topic.meter, bytes: payload.slice() });
  }
}
