/** The parts of a socket that the table needs. */
export interface HeldSocket {
  readonly remoteAddress?: string | undefined;
  destroy(): unknown;
  once(event: 'close', listener: () => void): unknown;
}

/** Bounds the simultaneous connections. */
export interface ConnectionLimits {
  readonly connections: number;
  /** From one address: an IPv4 address, or the first 64 bits of an IPv6 address. */
  readonly perAddress: number;
}

/** The bound that closed a connection. */
export type TurnedAway = 'address' | 'total';

interface Entry<S> {
  readonly socket: S;
  readonly address: string;
  readonly mayEnd: () => boolean;
}

/**
 * Counts the connections of a server, in all and for each address. A new connection that does not fit replaces the oldest idle
 * one. A client that opens sockets and never finishes a request thus loses its own, and a newcomer with a request gets an
 * answer. The table closes the newcomer when no connection is idle.
 */
export class ConnectionTable<S extends HeldSocket> {
  readonly #limits: ConnectionLimits;
  readonly #turnedAway: (why: TurnedAway) => void;
  /** In order of arrival. */
  readonly #entries = new Map<S, Entry<S>>();
  readonly #byAddress = new Map<string, Set<Entry<S>>>();

  constructor(limits: ConnectionLimits, turnedAway: (why: TurnedAway) => void = () => {}) {
    this.#limits = limits;
    this.#turnedAway = turnedAway;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Entries of the table of addresses. */
  get addresses(): number {
    return this.#byAddress.size;
  }

  /**
   * Adds a connection, and removes it when it closes. `mayEnd` returns true while it is idle. Returns false after it destroyed
   * the connection because there was no room.
   */
  add(socket: S, mayEnd: () => boolean): boolean {
    const address = addressOf(socket.remoteAddress);
    const { connections, perAddress } = this.#limits;
    const own = this.#byAddress.get(address);
    const hasRoom =
      (own === undefined || own.size < perAddress || this.#endOne(own, 'address')) &&
      (this.#entries.size < connections || this.#endOne(this.#entries.values(), 'total'));
    if (!hasRoom) {
      socket.destroy();
      return false;
    }
    const entry = { socket, address, mayEnd };
    this.#entries.set(socket, entry);
    const all = this.#byAddress.get(address) ?? new Set();
    this.#byAddress.set(address, all.add(entry));
    socket.once('close', () => this.release(socket));
    return true;
  }

  /** Removes a connection from the count, when something else bounds it from now on. */
  release(socket: S): void {
    const entry = this.#entries.get(socket);
    if (!entry) return;
    this.#entries.delete(socket);
    const own = this.#byAddress.get(entry.address);
    own?.delete(entry);
    if (own?.size === 0) this.#byAddress.delete(entry.address);
  }

  #endOne(among: Iterable<Entry<S>>, why: TurnedAway): boolean {
    this.#turnedAway(why);
    for (const { socket, mayEnd } of among) {
      if (!mayEnd()) continue;
      this.release(socket);
      socket.destroy();
      return true;
    }
    return false;
  }
}

/** Returns true for this machine's own address: behind a proxy all clients have it. */
export function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address === addressOf('::1');
}

/** Returns the part of an address that one party controls: an IPv6 site holds 2^64 addresses. */
export function addressOf(remote: string | undefined): string {
  if (remote === undefined) return '';
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(remote);
  if (mapped?.[1]) return mapped[1];
  if (!remote.includes(':')) return remote;
  const [head = '', tail = ''] = (remote.split('%')[0] ?? '').toLowerCase().split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === '' ? [] : tail.split(':');
  const middle = remote.includes('::') ? new Array<string>(Math.max(0, 8 - left.length - right.length)).fill('0') : [];
  return `${[...left, ...middle, ...right].slice(0, 4).join(':')}::/64`;
}
