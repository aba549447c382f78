//! activate_slot: copies a confirmed meter into its slot. Anyone; on a slot that was activated before it writes nothing.

use gtx_common::{
    GtxError,
    args::Args,
    caps::slot_cap,
    checks,
    events::SlotActivated,
    layout::{
        oracle::{ACTIVE, CLOSED, MOVED, MeterPage, MeterSlot},
        registry::{Meter, NO_SLOT, STATUS_ACTIVE},
    },
    time,
};
use pinocchio::{AccountView, ProgramResult, error::ProgramError};

use crate::{ACTIVATE_SLOT, history};

/// Returns the first state of a slot: no energy. A meter's energy begins at its enrolment, so nothing is carried into it.
fn first_state(meter: &Meter) -> Result<MeterSlot, ProgramError> {
    if meter.carried_export_wh != 0 || meter.carried_import_wh != 0 {
        return Err(GtxError::CarriedTotals.into());
    }
    Ok(MeterSlot {
        export_wh: 0,
        import_wh: 0,
        window: meter.enrolment_window,
        export_cap: slot_cap(meter.export_limit_w, meter.register_step_wh)?,
        import_cap: slot_cap(meter.import_limit_w, meter.register_step_wh)?,
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
    if slot.is_assigned() {
        return Ok(()); // once is enough: its totals are not the record's any more
    }
    if meter.status != STATUS_ACTIVE {
        return Err(GtxError::MeterNotActive.into());
    }
    if !time::has_begun(meter.enrolment_window, time::now()?) {
        return Err(GtxError::WindowInFuture.into());
    }
    let written = first_state(&meter)?;
    *slot = written;
    page.moves = moves;
    history::fold(&mut page, ACTIVATE_SLOT, 0, data, bytemuck::bytes_of(&written));
    SlotActivated::emit(meter_id, page.zone, page.page, meter.slot, written.window, moves);
    Ok(())
}
