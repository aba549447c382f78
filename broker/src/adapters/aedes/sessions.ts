import { Rates } from '@gridtokenx/runtime/core';
import type { Client } from 'aedes';
import { TokenBucket } from '../../domain/token-bucket.js';
import type { BrokerParts, KeyRecord } from '../../ports.js';
import type { Allowance, Outlet, SocketGate } from './gate.js';

export interface Session {
  readonly client: Client;
  readonly key: string;
  readonly record: KeyRecord;
  readonly gate: SocketGate;
  readonly cancelExpiry: () => void;
  /** Topics that were allowed for a plain publish: parsing keys in a topic costs more than all other steps. */
  readonly allowed: Set<string>;
  /** Filters of its subscriptions. */
  readonly filters: Set<string>;
  refusedFilters: number;
  isEnded: boolean;
}

/** An accepted sign-in. */
export interface SignedIn {
  readonly key: string;
  readonly record: KeyRecord;
  readonly endsAtMs: number;
}

/** Bounds the keys with remembered rates; only listed keys reach this table. */
const MAX_RATED_KEYS = 16_384;

/** The sessions that are signed in, and the remaining allowance of each key. */
export class Sessions {
  readonly #parts: BrokerParts;
  readonly #sessions = new Map<string, Set<Session>>();
  readonly #allowances = new Map<string, Allowance>();
  #count = 0;
  readonly #signIns: Rates;
  readonly #filters: Rates;

  constructor(parts: BrokerParts) {
    this.#parts = parts;
    const { signInsPerMinute, filtersPerMinute } = parts.limits;
    const rates = (perMinute: number) =>
      new Rates({ perSecond: perMinute / 60, burst: perMinute, names: MAX_RATED_KEYS }, () =>
        parts.clock.monotonicMs(),
      );
    this.#signIns = rates(signInsPerMinute);
    this.#filters = rates(filtersPerMinute);
  }

  /** Entries of the tables, for tests of their bounds. */
  get sizes(): { sessions: number; keys: number; allowances: number; rates: number } {
    const rates = this.#signIns.size + this.#filters.size;
    return { sessions: this.#count, keys: this.#sessions.size, allowances: this.#allowances.size, rates };
  }

  /** Returns true when there is no room for one more session of this key, not even in place of one of its own. */
  isFull({ key, record }: SignedIn): boolean {
    if (this.#count < this.#parts.limits.connections) return false;
    return (this.#sessions.get(key)?.size ?? 0) < this.#mostOf(record);
  }

  /** Returns false when the key has signed in too often. */
  maySignIn(key: string): boolean {
    return this.#signIns.allow(key);
  }

  /** Returns false when the key has named too many filters. */
  mayNameFilter(key: string): boolean {
    return this.#filters.allow(key);
  }

  begin(client: Client, gate: SocketGate, { key, record, endsAtMs }: SignedIn): Session {
    const { clock, metrics } = this.#parts;
    const others = this.#sessions.get(key) ?? new Set();
    const surplus = others.size - this.#mostOf(record) + 1;
    for (const other of [...others].slice(0, Math.max(0, surplus))) this.end(other, 'replaced');
    const session: Session = {
      client,
      key,
      record,
      gate,
      cancelExpiry: clock.after(Math.max(0, endsAtMs - clock.nowMs()), () => this.end(session, 'expired')),
      allowed: new Set(),
      filters: new Set(),
      refusedFilters: 0,
      isEnded: false,
    };
    gate.signedIn(this.#allowanceOf(key), this.#outletOf(record));
    this.#sessions.set(key, others.add(session));
    this.#count++;
    metrics.clients(1);
    return session;
  }

  /** Ends the sessions of keys that are revoked, removed or in another role. */
  endWithdrawn(): void {
    const { keys } = this.#parts;
    for (const key of [...this.#allowances.keys()]) if (!keys.find(key)) this.#allowances.delete(key);
    for (const [key, sessions] of [...this.#sessions]) {
      const record = keys.find(key);
      for (const session of [...sessions]) {
        if (record?.status !== 'active') this.end(session, 'revoked');
        else if (record.role !== session.record.role) this.end(session, 'role_changed');
      }
    }
  }

  /** Closes the connection of a session; a second call does nothing. */
  end(session: Session, reason: string): void {
    if (session.isEnded) return;
    this.#parts.metrics.ended(reason);
    this.#parts.log.info({ event: 'session_ended', key: session.key, reason }, 'Ended a session');
    this.forget(session);
    session.client.close();
  }

  forget(session: Session): void {
    session.isEnded = true;
    const sessions = this.#sessions.get(session.key);
    if (!sessions?.delete(session)) return;
    this.#count--;
    if (sessions.size === 0) this.#sessions.delete(session.key);
    session.cancelExpiry();
    this.#parts.metrics.clients(-1);
  }

  /**
   * Returns the bound of a key's sessions. A gateway is one device: its newer session replaces the older, for any client id.
   */
  #mostOf({ role }: KeyRecord): number {
    return role === 'gateway' ? 1 : this.#parts.limits.sessionsPerKey;
  }

  #allowanceOf(key: string): Allowance {
    const { clock, limits } = this.#parts;
    let allowance = this.#allowances.get(key);
    if (!allowance) {
      const now = clock.monotonicMs();
      allowance = {
        messages: new TokenBucket(limits.messagesPerSecond, limits.messageBurst, now),
        bytes: new TokenBucket(limits.bytesPerSecond, limits.byteBurst, now),
      };
      this.#allowances.set(key, allowance);
    }
    return allowance;
  }

  /** Only an oracle may delay publishers: messages that it misses must be sent again. */
  #outletOf({ role }: KeyRecord): Outlet {
    const { outgoingBytes, oracleOutgoingBytes } = this.#parts.limits;
    return role === 'oracle'
      ? { bytes: oracleOutgoingBytes, holdsPublishers: true }
      : { bytes: outgoingBytes, holdsPublishers: false };
  }
}
