import type { Signer } from '@gridtokenx/protocol';

/** Real time, from whoever runs the attack. */
export interface AttackClock {
  /** Milliseconds since 1970. */
  now(): number;
  sleep(ms: number): Promise<void>;
}

/** What an attack is given: where the services are, and the key of the home that has turned hostile. */
export interface AttackParts {
  readonly urls: {
    /** `mqtt://HOST:PORT` of the broker. */
    readonly mqtt: string;
    /** `http://HOST:PORT` of the oracle's listeners. */
    readonly service: string;
    readonly page: string;
  };
  /** The broker's name, as its tokens are made for. */
  readonly broker: string;
  readonly keys: {
    /** Of the hostile home's gateway. */
    readonly gateway: Signer;
    /** Public key of a neighbour's gateway, 32 bytes. */
    readonly neighbour: Uint8Array;
  };
  /** When to stop, by the clock. */
  readonly deadline: number;
  readonly clock: AttackClock;
  readonly random: (bytes: number) => Uint8Array;
}

/** Counts of what was tried and what came of it; `breaches` is what must be 0. */
export type AttackFigures = Readonly<Record<string, number>>;

/** Attacks until the deadline and closes what it has opened. Rejects only when the attack itself is broken. */
export type Attack = (parts: AttackParts) => Promise<AttackFigures>;
