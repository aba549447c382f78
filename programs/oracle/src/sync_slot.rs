//! sync_slot: copies limits and status of the Meter record into its slot. Anyone may send it. Without a change it writes
//! nothing. A dispute stays, for any record.

use gtx_common::{
    GtxError,
    args::Args,
    caps::slot_cap,
    events::SlotSynced,
    layout::{
        oracle::{ACTIVE, CLOSED, DISPUTED, MeterPage, SUSPENDED},
        registry::Meter,
    },
};
use pinocchio::{
    AccountView, Address, ProgramResult,
    account::{Ref, RefMut},
    error::ProgramError,
};

use crate::{
    SYNC_SLOT, history,
    place::{self, status_flag},
};

gtx_common::accounts! {
    /// The accounts of sync_slot.
    struct Accounts<'a> {
        /// The page of the meter's slot.
        meter_page: RefMut<'a, MeterPage>,
        /// The meter, as the registry has it.
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

#[inline(always)]
pub fn process(_program: &Address, accounts: Accounts, data: &[u8]) -> ProgramResult {
    let mut args = Args(data);
    let meter_id = *args.bytes::<16>()?;
    args.end()?;

    let Accounts { meter_page: mut page, meter } = accounts;
    if meter.meter_id != meter_id {
        return Err(GtxError::AccountKeyMismatch.into());
    }
    let more = place::next_moves(&page)?;
    let slot = place::slot_of(&mut page, &meter)?;
    if slot.flags & CLOSED != 0 {
        return Ok(()); // for ever, so there is nothing to change
    }
    if slot.flags & (ACTIVE | SUSPENDED) == 0 {
        return Err(GtxError::MeterNotActive.into()); // activate_slot comes first
    }
    let mut written = *slot;
    written.export_cap_wh = slot_cap(meter.export_limit_w, meter.register_step_wh)?;
    written.import_cap_wh = slot_cap(meter.import_limit_w, meter.register_step_wh)?;
    written.flags = slot.flags & !(ACTIVE | SUSPENDED) | status_flag(meter.status)?;
    // A reactivated record has another baseline for the same registers, so totals built before must not land. A disputed slot
    // stays as its case found it: conclude_dispute restarts it.
    let restarted = written.flags & !slot.flags & ACTIVE != 0 && slot.flags & DISPUTED == 0;
    if restarted {
        place::restart(&mut written, &meter);
    }
    if bytemuck::bytes_of(&written) == bytemuck::bytes_of(slot) {
        return Ok(());
    }
    *slot = written;
    if restarted {
        page.moves = more;
    }
    history::fold(&mut page, SYNC_SLOT, 0, data, bytemuck::bytes_of(&written));
    SlotSynced::emit(meter_id, page.zone, page.page, meter.slot, written.flags, page.moves);
    Ok(())
}
