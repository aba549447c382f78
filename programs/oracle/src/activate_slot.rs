//! activate_slot: copies a confirmed meter into its slot. Anyone may send it. It writes nothing to a slot that was activated
//! before.

use gtx_common::{
    GtxError, Wh,
    args::Args,
    caps::slot_cap,
    events::SlotActivated,
    layout::{
        oracle::{ACTIVE, CLOSED, MOVED, MeterPage, MeterSlot},
        registry::{Meter, STATUS_ACTIVE},
    },
    time,
};
use pinocchio::{
    AccountView, Address, ProgramResult,
    account::{Ref, RefMut},
    error::ProgramError,
};

use crate::{ACTIVATE_SLOT, history, place};

gtx_common::accounts! {
    /// The accounts of activate_slot.
    struct Accounts<'a> {
        /// The page of the meter's slot.
        meter_page: RefMut<'a, MeterPage>,
        /// The confirmed meter, as the registry has it.
        meter: Ref<'a, Meter>,
    }
}

impl<'a> Accounts<'a> {
    /// MeterHasNoSlot, ZoneMismatch, AccountKeyMismatch for a page that has not the meter's slot.
    #[inline(always)]
    pub fn load(_program: &Address, accounts: &'a mut [AccountView]) -> Result<Self, ProgramError> {
        let accounts = Self::prove(accounts)?;
        place::check(&accounts.meter_page, &accounts.meter)?;
        Ok(accounts)
    }
}

/// Returns the first state of a slot: no energy. A meter's energy begins at its enrolment, so the slot carries none into it.
fn first_state(meter: &Meter) -> Result<MeterSlot, ProgramError> {
    if !meter.carried_export_wh.is_zero() || !meter.carried_import_wh.is_zero() {
        return Err(GtxError::CarriedTotals.into());
    }
    Ok(MeterSlot {
        export_wh: Wh::ZERO,
        import_wh: Wh::ZERO,
        window: meter.enrolment_window,
        export_cap_wh: slot_cap(meter.export_limit_w, meter.register_step_wh)?,
        import_cap_wh: slot_cap(meter.import_limit_w, meter.register_step_wh)?,
        flags: ACTIVE | MOVED,
        attestors: 0,
        epoch: 0,
    })
}

#[inline(always)]
pub fn process(_program: &Address, accounts: Accounts, data: &[u8]) -> ProgramResult {
    let mut args = Args(data);
    let meter_id = *args.bytes::<16>()?;
    args.end()?;

    let Accounts { meter_page: mut page, meter } = accounts;
    if meter.meter_id != meter_id {
        return Err(GtxError::AccountKeyMismatch.into());
    }
    let moves = place::next_moves(&page)?;
    let slot = place::slot_of(&mut page, &meter)?;
    if slot.flags & CLOSED != 0 {
        return Err(GtxError::SlotClosed.into());
    }
    if slot.is_assigned() {
        return Ok(()); // once is enough: since then its totals are not the record's
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
