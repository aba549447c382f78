import type { Verifier } from '@gridtokenx/protocol';
import type { Clock, Logger, ServerCertificate } from '@gridtokenx/runtime/core';

/** What a key may do; see `domain/acl.ts`. */
export type KeyRole = 'gateway' | 'oracle' | 'operator';

/** One key that provisioning has written down. */
export interface KeyRecord {
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  readonly role: KeyRole;
  readonly status: 'active' | 'revoked';
  readonly name: string;
}

/** Who may sign in. Reading never fails: an implementation that cannot read keeps its last good content. */
export interface KeyDirectory {
  /** The record of a key in base58, or undefined where the key is unknown. */
  find(key: string): KeyRecord | undefined;
  /** Calls `listener` after each change of content. */
  onChange(listener: () => void): void;
}

/** Figures that the metrics endpoint shows. */
export interface BrokerMetrics {
  clients(change: 1 | -1): void;
  published(bytes: number): void;
  received(bytes: number): void;
  refused(reason: string): void;
  ended(reason: string): void;
  throttled(): void;
}

/**
 * Every table that a client can fill has its number here, so that memory and share of each client stay bounded. Bytes,
 * seconds and counts, as the names say.
 */
export interface Limits {
  /** Largest MQTT packet in bytes, fixed header included. */
  readonly packetBytes: number;
  /** Largest packet that is no PUBLISH and no CONNECT: each filter in it is work. */
  readonly controlBytes: number;
  /** MQTT packets per second of one key, and how many it may send at once after a rest. */
  readonly messagesPerSecond: number;
  readonly messageBurst: number;
  /** Bytes per second of one key, and how many it may send at once after a rest. */
  readonly bytesPerSecond: number;
  readonly byteBurst: number;
  /** Messages of one client that are being distributed at once. */
  readonly inFlight: number;
  /** Sessions of all keys. */
  readonly connections: number;
  /** A subscriber that takes nothing for this long is disconnected, so that it cannot hold up the others. */
  readonly drainSeconds: number;
  /** A connection that has not signed in after this time is closed. */
  readonly connectSeconds: number;
  /** Bytes that are taken from a connection before it has signed in. */
  readonly connectBytes: number;
  /** Connections that have not signed in, in all and from one address: the oldest makes room for the next. */
  readonly pendingConnections: number;
  readonly pendingPerAddress: number;
  /** Sessions of an oracle or operator at once; the oldest makes room. A gateway has one. */
  readonly sessionsPerKey: number;
  /** Sign-ins of one key in a minute, and at once after a rest. */
  readonly signInsPerMinute: number;
  /** Filters that one session is subscribed to. */
  readonly subscriptions: number;
  /** Filters that one key names in SUBSCRIBE packets in a minute, and at once after a rest. */
  readonly filtersPerMinute: number;
  /** Refused filters after which a session is ended. */
  readonly refusedFilters: number;
  /** Sign-in tokens that are remembered until they end, of one key and in all. */
  readonly tokensPerKey: number;
  readonly tokens: number;
  /** Bytes of a gateway's or oracle's status, retained or left as a will. */
  readonly statusBytes: number;
  /** Retained messages and the bytes of their topics and payloads. */
  readonly retained: number;
  readonly retainedBytes: number;
  /** Bytes waiting for a gateway or operator that reads slowly: above it the session ends, and publishers never wait. */
  readonly outgoingBytes: number;
  /** The same for an oracle, for which publishers wait up to `drainSeconds`. */
  readonly oracleOutgoingBytes: number;
}

/** The broker as the rest of the application sees it: any MQTT 3.1.1 server with our rules in it. */
export interface BrokerServer {
  /** Starts to listen. Rejects with the socket's error (`EADDRINUSE`, `EACCES`, ...). */
  listen(host: string, port: number): Promise<{ port: number }>;
  /** Ends all sessions and stops to listen. */
  close(): Promise<void>;
  readonly listening: boolean;
}

/** All that a broker implementation is given. */
export interface BrokerParts {
  readonly name: string;
  readonly keys: KeyDirectory;
  readonly verifier: Verifier;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: BrokerMetrics;
  readonly limits: Limits;
  /** Without it the broker speaks plain MQTT. */
  readonly certificate?: ServerCertificate | undefined;
}
