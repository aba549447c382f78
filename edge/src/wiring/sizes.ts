import type { GatewayConfig } from './config.js';

/** Size at which a segment of the spool is closed; only whole segments are dropped. */
export const SEGMENT_BYTES = 1 << 20;
/** Bytes of the disk that only statements, events and states may use. */
export const RESERVE_BYTES = 256 << 10;
/** Bound of one hour's raw frames; frames beyond it are dropped and counted. */
export const HOUR_BYTES = 4 << 20;

/** Least bound of spool and raw frames together, where the configuration states none. */
const MIN_DEFAULT_BYTES = 64 << 20;
/** Time without a broker that the default bound holds, and the bytes of a reading in the spool. */
const DEFAULT_SECONDS = 7 * 86_400;
const READING_BYTES = 187;
/** Messages with further values that a meter signs at most, in each second. */
const MORE_PER_SECOND = 2 / 60;
/** Share of the bound for raw frames, and the number of hours and of bytes of one discontinuity that it divides into. */
const FRAMES_SHARE = 0.25;
const HOURS = 32;
const KEPT_FILE_BYTES = 64 << 10;
const MAX_KEPT_FILES = 256;
/** Parts of the spool that go at once, at least: a small spool has small segments. */
const SEGMENTS = 32;
const MIN_SEGMENT_BYTES = 16 << 10;

/** How the bytes of `spool_max_bytes` are shared. */
export interface DiskBudget {
  readonly spoolBytes: number;
  readonly segmentBytes: number;
  /** Bound of one hour's raw frames. */
  readonly hourBytes: number;
  /** Discontinuities whose raw frames are kept. */
  readonly keptFiles: number;
}

/** Shares the bytes of a configuration between spool and raw frames [gateway §4.6]. Lines go to the system's log. */
export function diskBudget({ spool_max_bytes: bound, meters }: GatewayConfig): DiskBudget {
  const perSecond = meters.reduce(
    (sum, { poll_seconds }) => sum + READING_BYTES * (1 / poll_seconds + MORE_PER_SECOND),
    0,
  );
  const wanted = (perSecond * DEFAULT_SECONDS) / (1 - FRAMES_SHARE);
  const all = bound ?? Math.ceil(Math.max(MIN_DEFAULT_BYTES, wanted));
  const most = HOURS * HOUR_BYTES;
  const frames = Math.min(most, Math.floor(all * FRAMES_SHARE));
  const spoolBytes = all - frames - RESERVE_BYTES;
  const segmentBytes = Math.max(MIN_SEGMENT_BYTES, Math.min(SEGMENT_BYTES, Math.floor(spoolBytes / SEGMENTS)));
  const hourBytes = Math.floor(frames / HOURS);
  // Hours take 25 parts of 32; the rest is for discontinuities.
  const keptFiles = Math.max(1, Math.min(MAX_KEPT_FILES, Math.floor((hourBytes * (HOURS - 25)) / KEPT_FILE_BYTES)));
  return { spoolBytes, segmentBytes, hourBytes, keptFiles };
}
