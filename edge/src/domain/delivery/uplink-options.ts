import type { Ack, GatewayStatus, PublicKeyText, Verifier } from '@gridtokenx/protocol';
import type { Clock, Logger } from '@gridtokenx/runtime/core';
import type { Counters } from '../ports.js';
import type { OpenBroker } from './ports.js';
import type { SendScheduler } from './send-scheduler.js';

/** The parts that an uplink needs. */
export interface UplinkOptions {
  /** The gateway's public key, 32 bytes. */
  readonly gateway: Uint8Array;
  /** Keys of the configured oracles, 32 bytes each. */
  readonly oracles: readonly Uint8Array[];
  readonly openBroker: OpenBroker;
  readonly verifier: Verifier;
  /** The corrected clock: its time is stated. */
  readonly clock: Clock;
  readonly log: Logger;
  readonly counters: Counters;
  readonly outbox: SendScheduler;
  /** Builds the status that the broker retains for this gateway, online and offline. */
  readonly status: (isOnline: boolean) => Omit<GatewayStatus, 'online' | 'session' | 'sinceMs' | 'statedMs'>;
  /** Receives a genuine ack for this gateway by a configured oracle. */
  readonly onAck: (oracle: PublicKeyText, ack: Ack) => void;
  /** Receives the status of any oracle at this broker. Nothing proves it. */
  readonly onOracleStatus: (oracle: PublicKeyText, isOnline: boolean) => void;
  /** Called when a session ended, or did not begin. */
  readonly onDisconnected: () => void;
  /** Called when the subscriptions are in force: retained acks arrive now, if there are any. */
  readonly onSubscribed: () => void;
}
