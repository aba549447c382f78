//! Quality bits of readings, statements and events [numbers §5].

/// No reading within 60 s before the window's end.
pub const STALE: u16 = 1 << 0;
/// Clock not synchronised.
pub const UNSYNCHRONISED: u16 = 1 << 1;
/// Gap in the window.
pub const GAP: u16 = 1 << 2;
/// Register discontinuity.
pub const DISCONTINUITY: u16 = 1 << 3;
/// Tamper.
pub const TAMPER: u16 = 1 << 4;
/// Meter replaced.
pub const REPLACED: u16 = 1 << 5;
/// A gateway signs for the meter.
pub const GATEWAY_SIGNED: u16 = 1 << 6;
/// Derived from two meters.
pub const DERIVED: u16 = 1 << 8;

/// A statement with one of these bits is stored and shown, never attested.
pub const NEVER_ATTESTED: u16 = STALE | UNSYNCHRONISED | DISCONTINUITY;

/// Returns true if a statement of this quality may be attested.
pub const fn is_attestable(quality: u16) -> bool {
    quality & NEVER_ATTESTED == 0
}
