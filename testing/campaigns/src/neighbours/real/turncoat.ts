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
/** A broker that does not read for so long has had enough: the connection is made anew. */
const DRAIN_MS = 2_000;
const EMPTY_ROOT = fromHex('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');

/** Where the home's key stands: what it signed last. */
export interface NeighbourState {
  readonly seq: bigint;
  readonly prev: Uint8Array;
  readonly importWh: bigint;
  readonly exportWh: bigint;
  readonly window: number;
}

/** A home that has turned hostile: it holds its keys and signs what it likes. */
export class Turncoat {
  readonly parts: AttackParts;
  readonly random: Random;
  /** Time of readings. */
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
  /** Messages that were handed to the network. */
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

  /** The next reading as an honest gateway would sign it, with whatever is to be otherwise. */
  reading(otherwise: Partial<Reading> = {}): Uint8Array {
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

  /** The next statement, for the window after the last one; its readings are none unless said otherwise. */
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

  /** An event that declares `count` seqs from `first` on as never coming. */
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

  /** Publishes messages in packets as large as they may be, as fast as the broker reads. */
  async send(stream: Stream, messages: readonly Uint8Array[]): Promise<void> {
    for (let i = 0; i < messages.length && !this.isOver; i += MAX_SEQUENCE) {
      const some = messages.slice(i, i + MAX_SEQUENCE);
      await this.publish(this.topic(stream), Buffer.concat(some));
      this.sent += some.length;
    }
  }

  /** Publishes whatever bytes there are. */
  async publish(topic: string, bytes: Uint8Array): Promise<void> {
    await this.write(publishPacket(topic, bytes));
  }

  /** Writes a packet in the home's session, and waits until the broker has read most of what came before. */
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
      // What the broker answers is not read by anyone, and does not stand in the way.
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
