import { errorText } from '@gridtokenx/runtime/core';
import type { SeriesRow } from '../ports.js';
import type { RefusedRow, TimeSeries } from './ports.js';
/**
 * Times that a time series can hold: from 1970 to 2262, when 64 bits of nanoseconds end (InfluxDB). A reading whose clock is
 * not known may say any time; outside of this it is no point.
 */
export const MAX_SERIES_MS = 9_223_372_036_853;

/** Returns true when a reading's time is within the range of the time series, and of a date. */
export function isSeriesTime(timeMs: number): boolean {
  return Number.isSafeInteger(timeMs) && timeMs >= 0 && timeMs <= MAX_SERIES_MS;
}

/** Reports a batch: the store has all rows but the refused ones. */
export interface Written {
  readonly refused: readonly RefusedRow[];
  /** A point that the store took; asked again to tell a bad row from a store that takes nothing. */
  readonly good: SeriesRow | null;
}

/** Rows that fail one by one before a good one is found; then the store is taken to be away. */
export const MAX_SUSPECTS = 16;

/**
 * Writes a batch, and where it fails halves of it, until the rows that fail by themselves are found. A row is refused only
 * when the store takes another one right after it; throws what the store threw when it takes none. `good` is a point
 * that was stored before; writing it again changes nothing.
 */
export async function writeAround(
  series: Pick<TimeSeries, 'write'>,
  points: readonly SeriesRow[],
  good: SeriesRow | null,
): Promise<Written> {
  const suspects: { readonly point: SeriesRow; readonly error: unknown }[] = [];
  let known = good;
  const put = async (part: readonly SeriesRow[]): Promise<void> => {
    try {
      await series.write(part);
      known = part.at(-1) ?? known;
      return;
    } catch (error) {
      const [point] = part;
      if (part.length > 1) {
        const half = part.length >> 1;
        await put(part.slice(0, half));
        await put(part.slice(half));
      } else if (point) {
        suspects.push({ point, error });
        if (known) await series.write([known]);
        else if (suspects.length >= MAX_SUSPECTS) throw error;
      }
    }
  };
  await put(points);
  if (suspects.length > 0) {
    if (!known) throw suspects[0]?.error;
    await series.write([known]);
  }
  return { refused: suspects.map(({ point, error }) => ({ point, reason: wordsOf(error) })), good: known };
}

const LONGEST_REASON = 300;

function wordsOf(error: unknown): string {
  return errorText(error).slice(0, LONGEST_REASON);
}
