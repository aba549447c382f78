import type { Socket } from 'node:net';
import { FrameMeter } from '@gridtokenx/runtime/core';
import type { TokenBucket } from '../../domain/token-bucket.js';
import type { BrokerParts } from '../../ports.js';

/** The allowance of one key. All its connections share it, so that reconnecting does not refill it. */
export interface Allowance {
  readonly messages: TokenBucket;
  readonly bytes: TokenBucket;
}

/** Bounds a session's outgoing bytes. */
export interface Outlet {
  /** Bounds the bytes that wait for the reader. */
  readonly bytes: number;
  /** True: publishers wait for this reader. False: they never wait, and a slow reader loses its session. */
  readonly holdsPublishers: boolean;
}

/** Reports a client that exceeded a bound. */
export interface GateEvents {
  /** A packet above the limit, or more bytes than a sign-in needs. */
  readonly oversize: () => void;
  /** More bytes wait for this reader than its bound allows. */
  readonly slowReader: () => void;
}

/**
 * Stands between a socket and the broker that reads it. The broker reads bytes with `socket.read(null)`. This returns nothing
 * while the client's allowance is spent or too many of its messages are in flight. So the kernel's buffers fill and the sender
 * waits: nothing is dropped and memory stays bounded. A packet that announces more than the limit ends the connection before
 * its body is read. Before sign-in the gate reads only as much as a sign-in needs. It also bounds the bytes that wait for a
 * reader.
 */
export class SocketGate {
  readonly #socket: Socket;
  readonly #parts: BrokerParts;
  readonly #events: GateEvents;
  readonly #meter: FrameMeter;
  readonly #read: (size?: number) => Buffer | null;
  readonly #cancelled: { wake: (() => void) | null } = { wake: null };
  #outlet: Outlet | null = null;
  #allowance: Allowance | null = null;
  #beforeSignIn: number;
  inFlight = 0;

  constructor(socket: Socket, parts: BrokerParts, events: GateEvents) {
    this.#socket = socket;
    this.#parts = parts;
    this.#events = events;
    this.#beforeSignIn = parts.limits.connectBytes;
    const { packetBytes, connectBytes, controlBytes } = parts.limits;
    this.#meter = new FrameMeter({ publish: packetBytes, first: connectBytes, control: controlBytes });
    this.#read = socket.read.bind(socket);
    socket.read = (size?: number) => {
      // Node itself calls read(0) to poll for more; only the broker's own reads take bytes.
      if (size === 0) return this.#read(0);
      return this.#mayRead() ? this.#take() : null;
    };
    this.#watchWrites();
    socket.once('close', () => this.#cancelled.wake?.());
  }

  /** From now on the client spends from its key's allowance, and its role bounds its outgoing bytes. */
  signedIn(allowance: Allowance, outlet: Outlet): void {
    this.#allowance = allowance;
    this.#outlet = outlet;
  }

  #watchWrites(): void {
    const write = this.#socket.write.bind(this.#socket) as (...args: unknown[]) => boolean;
    this.#socket.write = ((...args: unknown[]) => {
      const isFlowing = write(...args);
      const outlet = this.#outlet;
      if (!outlet) return isFlowing;
      if (this.#socket.writableLength > outlet.bytes && !this.#socket.destroyed) this.#events.slowReader();
      return isFlowing || !outlet.holdsPublishers;
    }) as Socket['write'];
  }

  #mayRead(): boolean {
    if (this.#cancelled.wake) return false;
    // The broker reads again when one of the messages is finished, so no wake-up is needed here.
    if (this.inFlight >= this.#parts.limits.inFlight) return false;
    const now = this.#parts.clock.monotonicMs();
    const allowance = this.#allowance;
    const wait = allowance ? Math.max(allowance.messages.waitMs(now), allowance.bytes.waitMs(now)) : 0;
    if (wait === 0) return true;
    this.#parts.metrics.throttled();
    this.#cancelled.wake = this.#parts.clock.after(wait, () => {
      this.#cancelled.wake = null;
      this.#socket.emit('readable');
    });
    return false;
  }

  #take(): Buffer | null {
    const bytes = this.#allowance ? this.#read() : this.#readSignIn();
    if (bytes === null) return null;
    const packets = this.#meter.feed(bytes);
    if (packets === null) {
      this.#events.oversize();
      return null;
    }
    const now = this.#parts.clock.monotonicMs();
    this.#allowance?.messages.spend(packets, now);
    this.#allowance?.bytes.spend(bytes.length, now);
    this.#parts.metrics.received(bytes.length);
    return bytes;
  }

  /** Keeps a stranger's bytes until its sign-in is judged, and no more than a sign-in needs. The rest waits in the kernel. */
  #readSignIn(): Buffer | null {
    const size = Math.min(this.#socket.readableLength, this.#beforeSignIn);
    const bytes = size === 0 ? null : this.#read(size);
    this.#beforeSignIn -= bytes?.length ?? 0;
    return bytes;
  }
}
