//! activate_slot: copies a registered meter into its slot. Anyone; on a slot that was activated before it writes nothing.

use gtx_common::{
    GtxError,
    args::Args,
    checks,
    events::SlotActivated,
    layout::{
        oracle::{ACTIVE, CLOSED, MOVED, MeterPage, MeterSlot, SUSPENDED},
        registry::{Meter, NO_SLOT, STATUS_ACTIVE},
    },
    time,
};
use pinocchio::{AccountView, ProgramResult, error::ProgramError};

use crate::{ACTIVATE_SLOT, history};

/// Highest rise in a window: ⌈limit · 0.25 h · 1.1⌉ and one step of the register.
pub(crate) fn cap(limit_w: u32, register_step_wh: u32) -> Result<u32, ProgramError> {
    let wh = u64::from(limit_w).saturating_mul(11).div_ceil(40).saturating_add(u64::from(register_step_wh));
    u32::try_from(wh).map_err(|_| GtxError::ArithmeticOverflow.into())
}

fn slot_of(meter: &Meter) -> Result<MeterSlot, ProgramError> {
    Ok(MeterSlot {
        export_wh: meter.carried_export_wh,
        import_wh: meter.carried_import_wh,
        window: meter.enrolment_window,
        export_cap: cap(meter.export_limit_w, meter.register_step_wh)?,
        import_cap: cap(meter.import_limit_w, meter.register_step_wh)?,
        flags: ACTIVE | MOVED,
        attestors: 0,
        epoch: 0,
    })
}

pub fn process(accounts: &mut [AccountView], data: &[u8]) -> ProgramResult {
    let mut args = Args(data);
    let meter_id = *args.bytes::<16>()?;
    args.end()?;

    let [page, meter, ..] = accounts else {
        return Err(GtxError::MissingAccount.into());
    };
    let meter = checks::load::<Meter>(meter)?;
    let mut page = checks::load_mut::<MeterPage>(page)?;
    if meter.meter_id != meter_id {
        return Err(GtxError::AccountKeyMismatch.into());
    }
    if meter.slot == NO_SLOT {
        return Err(GtxError::MeterHasNoSlot.into());
    }
    if meter.zone != page.zone {
        return Err(GtxError::ZoneMismatch.into());
    }
    if meter.page != page.page {
        return Err(GtxError::AccountKeyMismatch.into());
    }
    let moves = page.moves.checked_add(1).ok_or(ProgramError::from(GtxError::ArithmeticOverflow))?;
    let slot = page.slots.get_mut(usize::from(meter.slot)).ok_or(ProgramError::from(GtxError::MeterHasNoSlot))?;
    if slot.flags & CLOSED != 0 {
        return Err(GtxError::SlotClosed.into());
    }
    if slot.flags & (ACTIVE | SUSPENDED) != 0 {
        return Ok(()); // once is enough: its totals are not the record's any more
    }
    if meter.status != STATUS_ACTIVE {
        return Err(GtxError::MeterNotActive.into());
    }
    if !time::has_begun(meter.enrolment_window, time::now()?) {
        return Err(GtxError::WindowInFuture.into());
    }
    let written = slot_of(&meter)?;
    *slot = written;
    page.moves = moves;
    history::fold(&mut page, ACTIVATE_SLOT, 0, data, bytemuck::bytes_of(&written));
    SlotActivated::emit(meter_id, page.zone, page.page, meter.slot, written.window, moves);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caps_round_up_and_stay_in_range() {
        assert_eq!(cap(0, 1), Ok(1));
        assert_eq!(cap(40, 0), Ok(11));
        assert_eq!(cap(41, 0), Ok(12));
        assert_eq!(cap(5_000, 10), Ok(1_385));
        assert!(cap(u32::MAX, u32::MAX).is_err());
    }
}
