//! A meter's slot on its page, and the meaning of the record's status for it.

use gtx_common::{
    GtxError,
    layout::{
        oracle::{ACTIVE, CLOSED, MOVED, MeterPage, MeterSlot, SUBMITTED, SUSPENDED},
        registry::{Meter, NO_SLOT, STATUS_ACTIVE, STATUS_CLOSED, STATUS_SUSPENDED},
    },
};
use pinocchio::{ProgramResult, error::ProgramError};

/// Checks that the meter's slot is on this page. MeterHasNoSlot, ZoneMismatch, AccountKeyMismatch.
#[inline(always)]
pub fn check(page: &MeterPage, meter: &Meter) -> ProgramResult {
    if meter.slot == NO_SLOT {
        return Err(GtxError::MeterHasNoSlot.into());
    }
    if meter.zone != page.zone {
        return Err(GtxError::ZoneMismatch.into());
    }
    if meter.page != page.page {
        return Err(GtxError::AccountKeyMismatch.into());
    }
    Ok(())
}

/// Returns the slot of `meter` on `page`. `check` has proven the page.
#[inline(always)]
pub fn slot_of<'a>(page: &'a mut MeterPage, meter: &Meter) -> Result<&'a mut MeterSlot, ProgramError> {
    page.slots.get_mut(usize::from(meter.slot)).ok_or(GtxError::MeterHasNoSlot.into())
}

/// Returns the page's `moves` plus one.
#[inline(always)]
pub fn next_moves(page: &MeterPage) -> Result<u32, ProgramError> {
    page.moves.checked_add(1).ok_or(GtxError::ArithmeticOverflow.into())
}

/// Returns the flag of the meter's status in its slot. MeterNotActive for a record that holds no slot.
pub fn status_flag(status: u8) -> Result<u16, ProgramError> {
    match status {
        STATUS_ACTIVE => Ok(ACTIVE),
        STATUS_SUSPENDED => Ok(SUSPENDED),
        STATUS_CLOSED => Ok(CLOSED),
        _ => Err(GtxError::MeterNotActive.into()),
    }
}

/// Frees a slot whose record may have another baseline now [chain §7.8]. Its totals stay, but no signature stands behind them
/// any more: an earlier statement under the new baseline would have another meaning. Energy counts from the record's first
/// valid window.
pub fn restart(slot: &mut MeterSlot, meter: &Meter) {
    slot.flags = slot.flags & !SUBMITTED | MOVED;
    (slot.attestors, slot.epoch) = (0, 0);
    slot.window = slot.window.max(meter.first_valid_window.before());
}
