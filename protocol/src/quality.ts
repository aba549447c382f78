/** Quality bits of readings and statements [numbers §5]. A reader keeps bits it does not know. */
export const Quality = {
  /** No reading at most 60 s before the window's end. */
  stale: 1 << 0,
  /** The clock was not synchronised. */
  unsynchronised: 1 << 1,
  /** The window has a gap. */
  gap: 1 << 2,
  /** A register fell or jumped. */
  discontinuity: 1 << 3,
  tamper: 1 << 4,
  meterReplaced: 1 << 5,
  /** Signed by the gateway for a meter that cannot sign. */
  gatewaySigned: 1 << 6,
  /** Derived from a production and a consumption meter. */
  derived: 1 << 8,
} as const;

/** Bits of statements that are stored and shown but never attested, and that are no evidence in a dispute [wire §4.6]. */
export const NEVER_ATTESTED = Quality.stale | Quality.unsynchronised | Quality.discontinuity;

/** Returns true if a statement of this quality may be attested. */
export function isAttestable(quality: number): boolean {
  return (quality & NEVER_ATTESTED) === 0;
}
