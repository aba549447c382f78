/** What can happen to an answer, each with its probability. */
export interface FaultRates {
  /** Comes up to `lateTimeouts` time-outs after its request. */
  readonly late: number;
  readonly lateTimeouts: number;
  readonly drop: number;
  /** Comes again: a good one within one time-out of it, a late one within `lateTimeouts` of its request. */
  readonly copy: number;
  /** Copies of good answers come within so many time-outs of the answer; default 1, which is what the rule promises. */
  readonly copyTimeouts?: number;
  readonly truncate: number;
  /** The next answer follows without silence. */
  readonly glue: number;
  readonly corrupt: number;
  /** The meter refuses. */
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

/** Copies of good answers come as late as late ones: beyond what shapes can tell. */
export const LATER_COPIES: FaultRates = { ...ALL_FAULTS, copyTimeouts: 10 };

/** Late and dropped only, as availability is stated for. */
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
