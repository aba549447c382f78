import type { Signer } from '@gridtokenx/protocol';

/** Real time, given by the caller of the attack. */
export interface AttackClock {
  /** Returns milliseconds since 1970. */
  now(): number;
  sleep(ms: number): Promise<void>;
}

/** Inputs of an attack: addresses of the services, and the key of the home that has turned hostile. */
export interface AttackParts {
  readonly urls: {
    /** `mqtt://HOST:PORT` of the broker. */
    readonly mqtt: string;
    /** `http://HOST:PORT` of the oracle's listeners. */
    readonly service: string;
    readonly page: string;
  };
  /** The broker's name, which its tokens state. */
  readonly broker: string;
  readonly keys: {
    /** Key of the hostile home's gateway. */
    readonly gateway: Signer;
    /** Public key of a neighbour's gateway, 32 bytes. */
    readonly neighbour: Uint8Array;
  };
  /** Time to stop, by the clock. */
  readonly deadline: number;
  readonly clock: AttackClock;
  readonly random: (bytes: number) => Uint8Array;
}

/** Counts of attempts and their results; `breaches` must be 0. */
export type AttackFigures = Readonly<Record<string, number>>;

/** Attacks until the deadline and closes everything that it opened. Rejects only when the attack itself is broken. */
export type Attack = (parts: AttackParts) => Promise<AttackFigures>;
