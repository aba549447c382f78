//! A meter's slot on its page.

use gtx_common::{
    GtxError,
    layout::{
        oracle::{MeterPage, MeterSlot},
        registry::{Meter, NO_SLOT},
    },
};
use pinocchio::error::ProgramError;

/// The slot of `meter` on `page`. MeterHasNoSlot, ZoneMismatch, AccountKeyMismatch when they do not belong together.
#[inline(always)]
pub fn slot_of<'a>(page: &'a mut MeterPage, meter: &Meter) -> Result<&'a mut MeterSlot, ProgramError> {
    if meter.slot == NO_SLOT {
        return Err(GtxError::MeterHasNoSlot.into());
    }
    if meter.zone != page.zone {
        return Err(GtxError::ZoneMismatch.into());
    }
    if meter.page != page.page {
        return Err(GtxError::AccountKeyMismatch.into());
    }
    page.slots.get_mut(usize::from(meter.slot)).ok_or(GtxError::MeterHasNoSlot.into())
}

/// `moves` of the page, one more.
#[inline(always)]
pub fn next_moves(page: &MeterPage) -> Result<u32, ProgramError> {
    page.moves.checked_add(1).ok_or(GtxError::ArithmeticOverflow.into())
}
