//! The chain's clock in windows of 15 minutes [chain §2.5].

use crate::Window;
use pinocchio::{
    error::ProgramError,
    sysvars::{Sysvar, clock::Clock},
};

pub const WINDOW_SECONDS: u64 = 900;
/// Bounds how far a window's boundary may lie ahead of the chain's clock, in s.
pub const TOLERANCE_SECONDS: u64 = 60;
/// One day, in windows: bounds an enrolment's age and the time for an answer, and delays an announced attestor set.
pub const DAY_WINDOWS: u32 = 96;

/// Returns Unix seconds by the chain's clock. A clock before 1970 counts as 0.
#[inline(always)]
pub fn now() -> Result<u64, ProgramError> {
    Ok(u64::try_from(Clock::get()?.unix_timestamp).unwrap_or(0))
}

/// Returns the window that contains `seconds`.
#[inline(always)]
pub fn window_at(seconds: u64) -> Window {
    Window::new(u32::try_from(seconds / WINDOW_SECONDS).unwrap_or(u32::MAX))
}

/// Returns the first second of a window.
#[inline(always)]
fn begin(window: u64) -> u64 {
    window.saturating_mul(WINDOW_SECONDS)
}

/// Returns true if `window` is over at `now`, with the tolerance.
#[inline(always)]
pub fn is_over(window: Window, now: u64) -> bool {
    begin(u64::from(window.get()).saturating_add(1)) <= now.saturating_add(TOLERANCE_SECONDS)
}

/// Returns true if `window` has begun at `now`, with the tolerance.
#[inline(always)]
pub fn has_begun(window: Window, now: u64) -> bool {
    begin(u64::from(window.get())) <= now.saturating_add(TOLERANCE_SECONDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boundaries() {
        let w = Window::new;
        assert_eq!(window_at(899), w(0));
        assert_eq!(window_at(900), w(1));
        assert_eq!(window_at(u64::MAX), w(u32::MAX));
        assert!(is_over(w(9), 8_940));
        assert!(!is_over(w(9), 8_939));
        assert!(has_begun(w(10), 8_940));
        assert!(!has_begun(w(10), 8_939));
        assert!(!is_over(w(u32::MAX), u64::from(u32::MAX)));
    }
}
