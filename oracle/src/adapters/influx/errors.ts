import type { RefusedPoint } from '../../domain/live/ports.js';

/** The server is away or busy, or the outcome is unknown: write the same points again, later. */
export class SeriesUnavailable extends Error {
  override readonly name = 'SeriesUnavailable';
  /** The server asked to be left alone this long, ms; 0 when it did not say. */
  readonly retryAfterMs: number;

  constructor(message: string, retryAfterMs = 0) {
    super(message);
    this.retryAfterMs = retryAfterMs;
  }
}

/**
 * Token, organisation or bucket are not what the server knows: a person has to put that right. Nothing is dropped
 * meanwhile; the same points are written again, rarely.
 */
export class SeriesSetupRefused extends Error {
  override readonly name = 'SeriesSetupRefused';
}

/** All other points of the call are stored durably; these ones never will be: drop them, by name. */
export class PointsRefused extends Error {
  override readonly name = 'PointsRefused';
  readonly refused: readonly RefusedPoint[];

  constructor(refused: readonly RefusedPoint[]) {
    super(`${refused.length} points refused, the first one: ${refused[0]?.reason ?? 'without a reason'}`);
    this.refused = refused;
  }
}
