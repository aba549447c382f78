/** Size at which a segment of the spool is closed; only whole segments are dropped. */
export const SEGMENT_BYTES = 1 << 20;
/** Bound of one hour's raw frames; frames beyond it are dropped and counted. 25 hours are 100 MiB at most. */
export const HOUR_BYTES = 4 * 1_024 * 1_024;
