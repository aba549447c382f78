/** What others learn of this gateway, retained; its will says that it is gone. */
export interface PublishedStatus {
  readonly topic: string;
  /** `session`: a name that is made anew for each connection. */
  readonly text: (isOnline: boolean, session: string) => string;
}

/** What a way to the broker is for, and whom it tells. None of the calls may throw. */
export interface BrokerTask {
  /** Subscribed to at each connect, before anything is published. */
  readonly subscriptions: readonly string[];
  readonly status: PublishedStatus;
  readonly onMessage: (topic: string, payload: Uint8Array) => void;
  /** Signed in, subscribed, and the status is out. */
  readonly onConnected: (session: string) => void;
  /** The session ended, or none came about. */
  readonly onDisconnected: (problem: string) => void;
}

/** The way to the broker: one session after the other, none of which keeps anything. */
export interface Broker {
  readonly isConnected: boolean;
  /** Why there is no connection, in plain words; null while there is one, and once it was told to stop. */
  readonly problem: string | null;
  /** Connects, and connects again, until aborted. Never rejects. */
  run(signal: AbortSignal): Promise<void>;
  /** QoS 1; resolves at the PUBACK, which means only that the broker has it. Rejects when that does not come. */
  publish(topic: string, payload: Uint8Array | string, how?: { readonly retain?: boolean }): Promise<void>;
  /** Gives the connection up; the next one is made after a back-off. */
  drop(): void;
}

export type OpenBroker = (task: BrokerTask) => Broker;
