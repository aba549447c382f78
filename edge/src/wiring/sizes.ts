/** A segment of the spool is closed when it has grown to this; only whole segments are dropped. */
export const SEGMENT_BYTES = 1 << 20;
/** The raw frames of one hour may take this much; more is left out and told. 25 hours are 100 MiB at most. */
export const HOUR_BYTES = 4 * 1_024 * 1_024;
