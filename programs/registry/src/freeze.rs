//! The checks with which rotate_key, replace_meter and set_status begin. They read the utility's signature, the slot in the
//! oracle program, and the time since the last change of the key.

use gtx_common::{
    GtxError,
    accounts::{Optional, Signer},
    checks::same_key,
    layout::{
        oracle::{DISPUTED, MeterPage, MeterSlot},
        registry::{Meter, NO_SLOT, Zone},
    },
    time,
};
use pinocchio::{Address, ProgramResult, error::ProgramError};

/// Checks that the signer is the zone's utility, and the meter is of its zone. InvalidAuthority, ZoneMismatch.
pub fn check_utility(utility: Signer, zone: &Zone, meter: &Meter) -> ProgramResult {
    if !same_key(&zone.utility, utility.address().as_array()) {
        return Err(GtxError::InvalidAuthority.into());
    }
    if zone.zone != meter.zone {
        return Err(GtxError::ZoneMismatch.into());
    }
    Ok(())
}

/// Returns the meter's slot; None for a meter without one, whose page account is absent.
pub fn slot_of(
    page: Optional<MeterPage>,
    meter: &Meter,
    program_id: &Address,
) -> Result<Option<MeterSlot>, ProgramError> {
    if meter.slot == NO_SLOT {
        page.check_absent(program_id)?;
        return Ok(None);
    }
    slot_on(&*page.load()?, meter).map(Some)
}

/// Returns the meter's slot on its page. AccountKeyMismatch for another page.
pub fn slot_on(page: &MeterPage, meter: &Meter) -> Result<MeterSlot, ProgramError> {
    if page.zone != meter.zone || page.page != meter.page {
        return Err(GtxError::AccountKeyMismatch.into());
    }
    page.slots.get(usize::from(meter.slot)).copied().ok_or(GtxError::MeterHasNoSlot.into())
}

/// Checks the common condition of a rotation, a replacement and a closing: no dispute, and 96 windows since the last change of
/// the key. Otherwise a meter could evade a dispute.
pub fn check_settled(slot: Option<&MeterSlot>, meter: &Meter, now: u64) -> ProgramResult {
    if slot.is_some_and(|slot| slot.flags & DISPUTED != 0) {
        return Err(GtxError::SlotDisputed.into());
    }
    let free = meter.last_rotation_window.plus(time::DAY_WINDOWS);
    if !meter.last_rotation_window.is_unset() && time::window_at(now) < free {
        return Err(GtxError::KeyRotatedRecently.into());
    }
    Ok(())
}
