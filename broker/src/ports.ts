import type { Verifier } from '@gridtokenx/protocol';

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

/** Real time: sign-in and limits never follow simulated time. */
export interface Clock {
  /** Milliseconds since 1970. */
  nowMs(): number;
  /** Milliseconds that never fall, from any origin. */
  monotonicMs(): number;
  /** Runs `task` once after `ms`; the returned function cancels it. */
  after(ms: number, task: () => void): () => void;
}

/** Structured log lines; never a secret in `fields`. */
export interface Log {
  info(fields: Record<string, unknown>, message: string): void;
  warn(fields: Record<string, unknown>, message: string): void;
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

/** Bounds that keep the memory and the share of one client bounded. */
export interface Limits {
  /** Largest MQTT packet in bytes, fixed header included. */
  readonly packetBytes: number;
  /** MQTT packets per second of one key, and how many it may send at once after a rest. */
  readonly messagesPerSecond: number;
  readonly messageBurst: number;
  /** Bytes per second of one key, and how many it may send at once after a rest. */
  readonly bytesPerSecond: number;
  readonly byteBurst: number;
  /** Messages of one client that are being distributed at once. */
  readonly inFlight: number;
  /** Connections in all, signed in or not. */
  readonly connections: number;
  /** A subscriber that takes nothing for this long is disconnected, so that it cannot hold up the others. */
  readonly drainSeconds: number;
  /** A connection that has not signed in after this time is closed. */
  readonly connectSeconds: number;
}

/** What a TLS server shows; see `adapters/tls/certificate.ts`. */
export interface TlsMaterial {
  /** PEM. */
  readonly cert: string;
  readonly key: string;
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
}

/** The server's certificate, which may be renewed while it runs. */
export interface ServerCertificate {
  readonly material: TlsMaterial;
  /** Calls `listener` with each new certificate; connections that are there keep theirs. */
  onRenewed(listener: (material: TlsMaterial) => void): void;
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
  readonly log: Log;
  readonly metrics: BrokerMetrics;
  readonly limits: Limits;
  /** Without it the broker speaks plain MQTT. */
  readonly certificate?: ServerCertificate | undefined;
}
