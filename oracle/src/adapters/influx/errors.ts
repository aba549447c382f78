import type { RefusedRow } from '../../domain/live/ports.js';

/** Reports a server that is away or busy, or an unknown outcome: write the same points again later. */
export class SeriesUnavailable extends Error {
  override readonly name = 'SeriesUnavailable';
  /** Delay that the server requested before the next request, in ms; 0 when it requested none. */
  readonly retryAfterMs: number;

  constructor(message: string, retryAfterMs = 0) {
    super(message);
    this.retryAfterMs = retryAfterMs;
  }
}

/**
 * Reports a token, organisation or bucket that the server does not know: a person has to correct the set-up. The feeder
 * drops nothing meanwhile and writes the same points again at long intervals.
 */
export class SeriesSetupRefused extends Error {
  override readonly name = 'SeriesSetupRefused';
}

/**
 * Names points that the server will never store; all other points of the call are stored durably. Drop these points by
 * name.
 */
export class RowsRefused extends Error {
  override readonly name = 'PointsRefused';
  readonly refused: readonly RefusedRow[];

  constructor(refused: readonly RefusedRow[]) {
    super(`${refused.length} points refused, the first one: ${refused[0]?.reason ?? 'without a reason'}`);
    this.refused = refused;
  }
}
