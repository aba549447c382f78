import type { Socket } from 'node:net';
import { FrameMeter } from '../../domain/frame-meter.js';
import type { TokenBucket } from '../../domain/token-bucket.js';
import type { BrokerParts } from '../../ports.js';

/** What one key may spend; shared by all its connections, so that reconnecting does not refill it. */
export interface Allowance {
  readonly messages: TokenBucket;
  readonly bytes: TokenBucket;
}

/**
 * Stands between a socket and the broker that reads it. The broker takes bytes with `socket.read(null)`; while the
 * client's allowance is spent or too many of its messages are in flight this returns nothing, so the kernel's buffers
 * fill and the sender waits: nothing is dropped and memory stays bounded. A packet that announces more than the limit
 * ends the connection before its body is taken in.
 */
export class SocketGate {
  readonly #socket: Socket;
  readonly #parts: BrokerParts;
  readonly #meter: FrameMeter;
  readonly #read: (size?: number) => Buffer | null;
  #cancelWake: (() => void) | null = null;
  allowance: Allowance | null = null;
  inFlight = 0;

  constructor(socket: Socket, parts: BrokerParts, onOversize: () => void) {
    this.#socket = socket;
    this.#parts = parts;
    this.#meter = new FrameMeter(parts.limits.packetBytes);
    this.#read = socket.read.bind(socket);
    socket.read = (size?: number) => {
      // Node itself calls read(0) to look for more; only the broker's own reads take bytes.
      if (size === 0) return this.#read(0);
      return this.#mayRead() ? this.#take(onOversize) : null;
    };
    socket.once('close', () => this.#cancelWake?.());
  }

  #mayRead(): boolean {
    if (this.#cancelWake) return false;
    // The broker reads again when one of the messages is done, so no wake-up is needed here.
    if (this.inFlight >= this.#parts.limits.inFlight) return false;
    const now = this.#parts.clock.monotonicMs();
    const wait = this.allowance ? Math.max(this.allowance.messages.waitMs(now), this.allowance.bytes.waitMs(now)) : 0;
    if (wait === 0) return true;
    this.#parts.metrics.throttled();
    this.#cancelWake = this.#parts.clock.after(wait, () => {
      this.#cancelWake = null;
      this.#socket.emit('readable');
    });
    return false;
  }

  #take(onOversize: () => void): Buffer | null {
    const bytes = this.#read();
    if (bytes === null) return null;
    const packets = this.#meter.feed(bytes);
    if (packets === null) {
      onOversize();
      return null;
    }
    const now = this.#parts.clock.monotonicMs();
    this.allowance?.messages.spend(packets, now);
    this.allowance?.bytes.spend(bytes.length, now);
    this.#parts.metrics.received(bytes.length);
    return bytes;
  }
}
