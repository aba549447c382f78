import type { Verifier } from '@gridtokenx/protocol';
import type { Clock, Logger, ServerCertificate } from '@gridtokenx/runtime/core';

/** The role of a key; `domain/acl.ts` states its rights. */
export type KeyRole = 'gateway' | 'oracle' | 'operator';

/** One key of the provisioning's list. */
export interface KeyRecord {
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  readonly role: KeyRole;
  readonly status: 'active' | 'revoked';
  readonly name: string;
}

/** The keys that may sign in. Reading never fails: an implementation that cannot read keeps its last good content. */
export interface KeyDirectory {
  /** Returns the record of a key in base58; undefined for an unknown key. */
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
 * The bounds of every table that a client can fill, so that memory and share of each client stay bounded. Bytes, seconds and
 * counts, as the names say.
 */
export interface Limits {
  /** Bounds an MQTT packet in bytes, fixed header included. */
  readonly packetBytes: number;
  /** Bounds a packet that is no PUBLISH and no CONNECT, in bytes: each filter in it costs work. */
  readonly controlBytes: number;
  /** MQTT packets per second of one key, and how many it may send at once after a rest. */
  readonly messagesPerSecond: number;
  readonly messageBurst: number;
  /** Bytes per second of one key, and how many it may send at once after a rest. */
  readonly bytesPerSecond: number;
  readonly byteBurst: number;
  /** Bounds the messages of one client that are being distributed at once. */
  readonly inFlight: number;
  /** Sessions of all keys. */
  readonly connections: number;
  /** A subscriber that reads nothing for this long is disconnected, so that it cannot delay the others. */
  readonly drainSeconds: number;
  /** A connection that has not signed in after this time is closed. */
  readonly connectSeconds: number;
  /** Bounds the bytes that the broker reads from a connection before sign-in. */
  readonly connectBytes: number;
  /** Connections that have not signed in, in all and from one address: the oldest makes room for the next. */
  readonly pendingConnections: number;
  readonly pendingPerAddress: number;
  /** Bounds the simultaneous sessions of an oracle or operator; the oldest makes room. A gateway has one. */
  readonly sessionsPerKey: number;
  /** Bounds the sign-ins of one key in a minute, and at once after a rest. */
  readonly signInsPerMinute: number;
  /** Bounds the filters of one session. */
  readonly subscriptions: number;
  /** Bounds the filters that one key names in SUBSCRIBE packets in a minute, and at once after a rest. */
  readonly filtersPerMinute: number;
  /** After this many refused filters the session ends. */
  readonly refusedFilters: number;
  /** Bounds the remembered sign-in tokens, of one key and in all. */
  readonly tokensPerKey: number;
  readonly tokens: number;
  /** Bounds a gateway's or oracle's status in bytes, retained or left as a will. */
  readonly statusBytes: number;
  /** Bounds the retained messages, and the bytes of their topics and payloads. */
  readonly retained: number;
  readonly retainedBytes: number;
  /** Bounds the bytes that wait for a slow gateway or operator: above it the session ends, and publishers never wait. */
  readonly outgoingBytes: number;
  /** Bounds the bytes that wait for an oracle, for which publishers wait up to `drainSeconds`. */
  readonly oracleOutgoingBytes: number;
}

/** The broker as the rest of the application uses it: any MQTT 3.1.1 server with these rules. */
export interface BrokerServer {
  /** Starts to listen. Rejects with the socket's error (`EADDRINUSE`, `EACCES`, ...). */
  listen(host: string, port: number): Promise<{ port: number }>;
  /** Ends all sessions and stops listening. */
  close(): Promise<void>;
  readonly listening: boolean;
}

/** The dependencies of a broker implementation. */
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
