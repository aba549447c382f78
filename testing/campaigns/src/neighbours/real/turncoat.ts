import { once } from 'node:events';
import type { Socket } from 'node:net';
import {
  EventCode,
  encodePayload,
  encodeSign1,
  formatTopic,
  fromHex,
  Kind,
  MAX_SEQUENCE,
  type Reading,
  type Signer,
  type Statement,
  type Stream,
  shortHash,
  sigStructure,
  type ToEncode,
} from '@gridtokenx/protocol';
import { sodiumSigner } from '@gridtokenx/runtime/node';
import type { Random } from '@gridtokenx/testing-kit/random';

import type { AttackParts } from '../attacks/target.js';
import { publishPacket, signIn } from '../attacks/wire.js';

const SIGN_IN_PAUSE_MS = 200;
/** A broker that does not read for this time, in ms, is overloaded: the home reconnects. */
const DRAIN_MS = 2_000;
const EMPTY_ROOT = fromHex('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');

/** State of the home's key: its last signed messages. */
export interface NeighbourState {
  readonly seq: bigint;
  readonly prev: Uint8Array;
  readonly importWh: bigint;
  readonly exportWh: bigint;
  readonly window: number;
}

/** A home that has turned hostile: it holds its keys and signs anything. */
export class Turncoat {
  readonly parts: AttackParts;
  readonly random: Random;
  /** Returns the time of readings. */
  readonly now: () => number;
  readonly #meter: Signer;
  readonly #networkId: Uint8Array;
  readonly #meterId: Uint8Array;
  #socket: Socket | null = null;
  seq: bigint;
  prev: Uint8Array;
  importWh: bigint;
  exportWh: bigint;
  window: number;
  /** Number of messages written to the network. */
  sent = 0;

  constructor(args: {
    parts: AttackParts;
    random: Random;
    now: () => number;
    meterSeed: Uint8Array;
    networkId: Uint8Array;
    meterId: Uint8Array;
    standing: NeighbourState;
  }) {
    this.parts = args.parts;
    this.random = args.random;
    this.now = args.now;
    this.#meter = sodiumSigner(args.meterSeed);
    this.#networkId = args.networkId;
    this.#meterId = args.meterId;
    const { seq, prev, importWh, exportWh, window } = args.standing;
    this.seq = seq;
    this.prev = prev;
    this.importWh = importWh;
    this.exportWh = exportWh;
    this.window = window;
  }

  get isOver(): boolean {
    return this.parts.clock.now() >= this.parts.deadline;
  }

  #sign(payload: Uint8Array): Uint8Array {
    return encodeSign1(payload, this.#meter.sign(sigStructure(payload)));
  }

  /** Returns the next reading as an honest gateway would sign it, with the given changes. */
  reading(otherwise: Partial<ToEncode<Reading>> = {}): Uint8Array {
    const payload = encodePayload({
      kind: Kind.reading,
      networkId: this.#networkId,
      meterId: this.#meterId,
      seq: this.seq + 1n,
      timeMs: BigInt(Math.floor(this.now())),
      importWh: this.importWh,
      exportWh: this.exportWh,
      powerW: 0,
      voltageDv: 2_300,
      frequencyChz: 5_000,
      timeUncertaintyMs: 10,
      quality: 64,
      bootCount: 2,
      raw: new Uint8Array(4),
      prev: this.prev,
      ...otherwise,
    });
    if (otherwise.seq === undefined) {
      this.seq++;
      this.prev = shortHash(payload);
    }
    return this.#sign(payload);
  }

  /** Returns the next statement, for the window after the last one; it covers no readings by default. */
  statement(otherwise: Partial<ToEncode<Statement>> = {}): Uint8Array {
    if (otherwise.window === undefined) this.window++;
    if (otherwise.seq === undefined) this.seq++;
    return this.#sign(
      encodePayload({
        kind: Kind.statement,
        networkId: this.#networkId,
        meterId: this.#meterId,
        seq: this.seq,
        window: this.window,
        importWh: this.importWh,
        exportWh: this.exportWh,
        readingCount: 0,
        quality: 64,
        timeUncertaintyMs: 10,
        readingsRoot: EMPTY_ROOT,
        ...otherwise,
      }),
    );
  }

  /** Returns an event that declares `count` seqs from `first` on as never sent. */
  gap(first: bigint, count: number, reason: number): Uint8Array {
    const data = new Uint8Array(16);
    data[0] = reason;
    const payload = encodePayload({
      kind: Kind.event,
      networkId: this.#networkId,
      meterId: this.#meterId,
      seq: ++this.seq,
      timeMs: BigInt(Math.floor(this.now())),
      code: EventCode.gap,
      quality: 64,
      bootCount: 2,
      detail: count,
      value: first,
      data,
      prev: this.prev,
    });
    this.prev = shortHash(payload);
    return this.#sign(payload);
  }

  topic(stream: Stream): string {
    return formatTopic({ kind: 'stream', gateway: this.parts.keys.gateway.publicKey, meter: this.#meterId, stream });
  }

  /** Publishes messages in packets of the maximum size, as fast as the broker reads. */
  async send(stream: Stream, messages: readonly Uint8Array[]): Promise<void> {
    for (let i = 0; i < messages.length && !this.isOver; i += MAX_SEQUENCE) {
      const some = messages.slice(i, i + MAX_SEQUENCE);
      await this.publish(this.topic(stream), Buffer.concat(some));
      this.sent += some.length;
    }
  }

  /** Publishes any bytes. */
  async publish(topic: string, bytes: Uint8Array): Promise<void> {
    await this.write(publishPacket(topic, bytes));
  }

  /** Writes a packet in the home's session, and waits until the broker has read most of the earlier packets. */
  async write(packet: Uint8Array): Promise<void> {
    const socket = await this.#connected();
    if (!socket) return;
    if (socket.write(packet)) return;
    const signal = AbortSignal.timeout(DRAIN_MS);
    await Promise.race([once(socket, 'drain', { signal }), once(socket, 'close', { signal })]).catch(() =>
      socket.destroy(),
    );
  }

  async #connected(): Promise<Socket | null> {
    while (!this.#socket || this.#socket.destroyed) {
      if (this.isOver) return null;
      this.#socket = await signIn(this.parts);
      // Discards the broker's answers, so that they do not block the connection.
      this.#socket?.resume();
      if (!this.#socket) await this.parts.clock.sleep(SIGN_IN_PAUSE_MS);
    }
    return this.#socket;
  }

  close(): void {
    this.#socket?.destroy();
    this.#socket = null;
  }
}
