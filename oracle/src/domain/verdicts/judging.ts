import { Folds } from '../points/points.js';
import { type ScanStart, StreamScan } from './scan.js';

/** Bounds the judging of a ledger and makes its parts; a measurement gives parts that count. */
export interface Judging {
  /** Bounds how many stored messages one commit judges again. */
  readonly stepsAtATime: number;
  /** Begins the scan of one stream. */
  readonly scanFrom: (start: ScanStart) => StreamScan;
  /** Makes the folds of one derived point, for one scan. */
  readonly newFolds: () => Folds;
}

/** Judges as every oracle does. */
export const JUDGING: Judging = {
  // Some 20 ms, so that no stream delays the others longer.
  stepsAtATime: 1_000,
  scanFrom: (start) => new StreamScan(start),
  newFolds: () => new Folds(),
};
