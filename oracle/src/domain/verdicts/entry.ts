import type { Payload } from '@gridtokenx/protocol';
import type { PointWitness } from '../points/points.js';
import type { MeterRecord } from '../ports.js';
import type { Gaps } from './gaps.js';
import type { KeyTerms } from './rotation.js';
import type { Verdict } from './verdict.js';

/** One signature-valid message of a stream (a meter and a key). */
export interface Entry {
  readonly payload: Payload;
  /** The 96 signed bytes. */
  readonly signed: Uint8Array;
  /** Time of first arrival on the clock that drives readings, ms. */
  readonly arrivedAtMs: number;
  /** True when the registry state in use was requested after the arrival. */
  readonly registryIsNewer: boolean;
  /** True for each message that contradicts another. */
  readonly contradicted: boolean;
}

/** Inputs of a stream's judgement beside its messages. */
export interface ScanContext {
  readonly meter: MeterRecord;
  /** Terms of the stream's key. */
  readonly terms: KeyTerms;
  readonly gaps: Gaps;
  /** Lowest equivocating seq, or null. */
  readonly suspendedFrom: bigint | null;
  /** Now, on the clock that drives readings. */
  readonly nowMs: number;
  /** Judges the statements of a point that derives from two meters; undefined for any other meter. */
  readonly point?: PointWitness | undefined;
}

export interface Judgement {
  readonly verdict: Verdict;
  /** True when later registers are compared with this message's registers. */
  readonly isBasis: boolean;
}
