/** The retained status of this gateway; the broker publishes the offline text as its will. */
export interface PublishedStatus {
  readonly topic: string;
  /** Returns the status text. `session`: a name that is new for each connection. */
  readonly text: (isOnline: boolean, session: string) => string;
}

/** Purpose of a broker connection, and its listeners. None of the calls may throw. */
export interface BrokerTask {
  /** Topics to subscribe to at each connect, before anything is published. */
  readonly subscriptions: readonly string[];
  readonly status: PublishedStatus;
  readonly onMessage: (topic: string, payload: Uint8Array) => void;
  /** Called when signed in, subscribed, and the status is published. */
  readonly onConnected: (session: string) => void;
  /** Called when the session ended, or did not begin. */
  readonly onDisconnected: (problem: string) => void;
}

/** Connects to the broker: one session after another, without state between them. */
export interface Broker {
  /** Address of the broker in use. */
  readonly url: string;
  readonly isConnected: boolean;
  /** Says in plain words why there is no connection; null while there is one, and after the stop. */
  readonly problem: string | null;
  /** Connects, and reconnects, until aborted. Never rejects. */
  run(signal: AbortSignal): Promise<void>;
  /**
   * Publishes at QoS 1. Resolves at the PUBACK, which means only that the broker has the packet. Rejects without one.
   */
  publish(topic: string, payload: Uint8Array | string, how?: { readonly retain?: boolean }): Promise<void>;
  /** Tries again at once where there is no connection: the corrected clock makes another token. */
  retryNow(): void;
  /** Drops the connection; the next connection follows after a back-off. */
  drop(): void;
}

export type OpenBroker = (task: BrokerTask) => Broker;
