/** Messages of one meter key stored a day in the long run: one reading a second, with a margin [wire §9.10]. */
export const MESSAGES_PER_DAY = 100_000;
/** Messages that a key may send at once: a week's backlog of one reading a second. Bounds the disk space of a key. */
export const MAX_SAVED_MESSAGES = 700_000;
/**
 * Reserves the last messages for statements and events: readings that arrive too fast do not cost a home its energy.
 */
export const RESERVED_MESSAGES = 1_000;
/** Messages of one key that wait for their time; the gateway sends further messages again when they are due. */
export const MAX_WAITING = 1_000;
/** Messages of no stream (bad signatures, unknown meters) that one gateway may bring at once, and in a day. */
export const REJECTS_PER_DAY = 100_000;
export const MAX_SAVED_REJECTS = 20_000;

const DAY_MS = 86_400_000;

/** Remainder of an allowance at a time; null before the first use: the full allowance. */
export interface Bucket {
  readonly left: number;
  readonly atMs: number;
}

/** Returns the bucket at `nowMs`, refilled by `perDay`; a clock that goes back refills nothing. */
export function refilled(
  bucket: Bucket | null,
  nowMs: number,
  perDay = MESSAGES_PER_DAY,
  size = MAX_SAVED_MESSAGES,
): Bucket {
  if (!bucket) return { left: size, atMs: nowMs };
  const gained = (Math.max(0, nowMs - bucket.atMs) * perDay) / DAY_MS;
  return { left: Math.min(size, bucket.left + gained), atMs: Math.max(nowMs, bucket.atMs) };
}
