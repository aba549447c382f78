//! What rotate_key, replace_meter and set_status ask first: the utility's signature, the slot as the oracle program has it, and how
//! long ago the key was changed.

use gtx_common::{
    GtxError,
    checks::{self, same_key},
    layout::{
        oracle::{DISPUTED, MeterPage, MeterSlot},
        registry::{Meter, NO_SLOT, Zone},
    },
    time,
};
use pinocchio::{AccountView, Address, ProgramResult, error::ProgramError};

/// The zone's utility has signed, and the meter is of its zone.
pub fn check_utility(utility: &AccountView, zone: &Zone, meter: &Meter) -> ProgramResult {
    checks::signer(utility)?;
    if !same_key(&zone.utility, utility.address().as_array()) {
        return Err(GtxError::InvalidAuthority.into());
    }
    if zone.zone != meter.zone {
        return Err(GtxError::ZoneMismatch.into());
    }
    Ok(())
}

/// An account that is not needed must be named by the program's own address, as Anchor does.
pub fn check_absent(view: &AccountView, program_id: &Address) -> ProgramResult {
    checks::key(view, program_id)
}

/// The meter's slot; None for a meter that has none, whose page account is absent.
pub fn slot_of(page: &AccountView, meter: &Meter, program_id: &Address) -> Result<Option<MeterSlot>, ProgramError> {
    if meter.slot == NO_SLOT {
        check_absent(page, program_id)?;
        return Ok(None);
    }
    let page = checks::load::<MeterPage>(page)?;
    if page.zone != meter.zone || page.page != meter.page {
        return Err(GtxError::AccountKeyMismatch.into());
    }
    let slot = page.slots.get(usize::from(meter.slot)).ok_or(ProgramError::from(GtxError::MeterHasNoSlot))?;
    Ok(Some(*slot))
}

/// What a change of key, a replacement and closing have in common: not under dispute, and not within 96 windows of the last change of
/// the key, so that nobody slips away from a dispute.
pub fn check_settled(slot: Option<&MeterSlot>, meter: &Meter, now: u64) -> ProgramResult {
    if slot.is_some_and(|slot| slot.flags & DISPUTED != 0) {
        return Err(GtxError::SlotDisputed.into());
    }
    let free = meter.last_rotation_window.saturating_add(time::DAY_WINDOWS);
    if meter.last_rotation_window != 0 && time::window_at(now) < free {
        return Err(GtxError::KeyRotatedRecently.into());
    }
    Ok(())
}
