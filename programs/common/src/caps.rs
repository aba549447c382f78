//! The bounds of energy: for a meter in one window, and for a zone [chain §7.3].

use pinocchio::error::ProgramError;

use crate::{GtxError, Wh};

/// Bounds the register step of a confirmed meter, in Wh: 1 kWh. The step adds to the cap, so a large step would evade the cap.
pub const MAX_REGISTER_STEP_WH: u32 = 1_000;
/// Bounds the tariff class of a utility: 0 to 15.
pub const MAX_TARIFF_CLASS: u16 = 15;
/// Bounds a zone's capacity, in W: 10 GW, more than any zone has. No single zone can exhaust the supply that all zones share.
pub const MAX_CAPACITY_W: u64 = 10_000_000_000;

/// Returns ⌈W · 0.25 h · 1.1⌉ in Wh: one window at full power, and a tenth more.
#[inline(always)]
pub const fn window_wh(watts: u64) -> Wh {
    Wh::new(watts.saturating_mul(11).div_ceil(40))
}

/// Returns the highest rise of a register in one window, in Wh. LimitOutOfRange when it does not fit a slot.
pub fn slot_cap(limit_w: u32, register_step_wh: u32) -> Result<u32, ProgramError> {
    let wh = window_wh(limit_w as u64).saturating_add(Wh::new(register_step_wh as u64));
    u32::try_from(wh.get()).map_err(|_| GtxError::LimitOutOfRange.into())
}

/// Returns the power (W) that a meter reserves of its zone's capacity: its export limit, and its register step's part of every
/// window's cap.
pub const fn reserved_w(limit_w: u32, register_step_wh: u32) -> u64 {
    (limit_w as u64).saturating_add((register_step_wh as u64).saturating_mul(40).div_ceil(11))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caps_round_up_and_stay_in_range() {
        assert_eq!(slot_cap(0, 1), Ok(1));
        assert_eq!(slot_cap(40, 0), Ok(11));
        assert_eq!(slot_cap(41, 0), Ok(12));
        assert_eq!(slot_cap(5_000, 10), Ok(1_385));
        assert_eq!(slot_cap(u32::MAX, 0), Ok(1_181_116_007));
        assert_eq!(slot_cap(1, u32::MAX), Err(GtxError::LimitOutOfRange.into()));
    }

    #[test]
    fn what_meters_reserve_covers_their_caps() {
        for (limit, step) in [(0, 1_000), (5_000, 1), (4_001, 10), (1, 999)] {
            assert!(
                window_wh(reserved_w(limit, step)).get() >= u64::from(slot_cap(limit, step).unwrap()).saturating_sub(1)
            );
        }
    }

    #[test]
    fn a_zone_of_the_largest_capacity_has_a_budget_of_64_bits_for_a_thousand_years() {
        assert!(window_wh(MAX_CAPACITY_W).get().checked_mul(1_000 * 366 * 96).is_some());
    }
}
