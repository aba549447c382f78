/** Holds registers that one request read. */
export interface Registers {
  readonly address: number;
  readonly count: number;
  readonly data: Uint8Array;
  /** The reply as it stood on the line (on TCP: as it would on a serial line). */
  readonly frame: Uint8Array;
}

/** One way to read the wanted registers. Each variant has another length, so another reply shape. */
export interface ReadVariant {
  readonly address: number;
  readonly count: number;
}

/** Floors that a unit's profile sets, ms. */
export interface UnitLimits {
  readonly timeoutMinMs: number;
  readonly quarantineMs: number;
}

/** Line time of one poll of a unit, ms: the sum over its requests, and the longest request. */
export interface PollShare {
  readonly lineMs: number;
  readonly longestMs: number;
}

export interface ReadOptions {
  /** The unit's poll period, real ms: a time-out is at most a third of it. */
  readonly periodMs: number;
  /** Limits of the unit's profile; the first read of a unit decides. */
  readonly limits?: UnitLimits;
}
