/** Faults of an answer, each with its probability. */
export interface FaultRates {
  /** Arrives up to `lateTimeouts` time-outs after its request. */
  readonly late: number;
  readonly lateTimeouts: number;
  readonly drop: number;
  /** Arrives again: a good answer within one time-out of it, a late answer within `lateTimeouts` of its request. */
  readonly copy: number;
  /** Copies of good answers arrive within so many time-outs of the answer; default 1, which the rule promises. */
  readonly copyTimeouts?: number;
  readonly truncate: number;
  /** The next answer follows without silence. */
  readonly glue: number;
  readonly corrupt: number;
  /** The meter answers with an exception. */
  readonly exception: number;
}

export const ALL_FAULTS: FaultRates = {
  late: 0.04,
  lateTimeouts: 10,
  drop: 0.02,
  copy: 0.03,
  truncate: 0.01,
  glue: 0.01,
  corrupt: 0.02,
  exception: 0.01,
};

/** Copies of good answers arrive as late as late answers: reply shapes cannot distinguish them. */
export const LATER_COPIES: FaultRates = { ...ALL_FAULTS, copyTimeouts: 10 };

/** Late and dropped answers only, for which the availability figures hold. */
export const LATE_AND_DROPPED: FaultRates = {
  late: 0.02,
  lateTimeouts: 10,
  drop: 0.02,
  copy: 0,
  truncate: 0,
  glue: 0,
  corrupt: 0,
  exception: 0,
};
