//! conclude_dispute: anyone advances a case. After 96 windows without an answer it convicts the attestors that the slot names.
//! With a verdict, and once the utility has accepted it in the registry (set_status), it frees the slot. Nothing else clears
//! DISPUTED.

use gtx_common::{
    GtxError,
    args::Args,
    events::{DisputeDecided, DisputeResolved},
    layout::{
        oracle::{ACTIVE, ATTESTORS_CONVICTED, DISPUTED, Dispute, MeterPage, OPEN, SUSPENDED},
        registry::Meter,
    },
    time,
};
use pinocchio::{
    AccountView, Address, ProgramResult,
    account::{Ref, RefMut},
    error::ProgramError,
};

use crate::{
    CONCLUDE_DISPUTE,
    answer::{check_case, is_overdue},
    history, place,
};

gtx_common::accounts! {
    /// The accounts of conclude_dispute.
    struct Accounts<'a> {
        /// The page of the meter's slot.
        meter_page: RefMut<'a, MeterPage>,
        /// The meter, as the registry has it.
        meter: Ref<'a, Meter>,
        /// The slot's case.
        dispute: RefMut<'a, Dispute>,
    }
}

impl<'a> Accounts<'a> {
    /// AccountKeyMismatch for another slot's case, and the errors of `place::check`.
    #[inline(always)]
    pub fn load(_program: &Address, accounts: &'a mut [AccountView]) -> Result<Self, ProgramError> {
        let accounts = Self::prove(accounts)?;
        check_case(&accounts.dispute, &accounts.meter)?;
        place::check(&accounts.meter_page, &accounts.meter)?;
        Ok(accounts)
    }
}

#[inline(always)]
pub fn process(_program: &Address, accounts: Accounts, data: &[u8]) -> ProgramResult {
    let mut args = Args(data);
    let meter_id = *args.bytes::<16>()?;
    args.end()?;

    let Accounts { meter_page: mut page, meter, mut dispute } = accounts;
    if meter.meter_id != meter_id {
        return Err(GtxError::AccountKeyMismatch.into());
    }
    let more = place::next_moves(&page)?;
    let slot = place::slot_of(&mut page, &meter)?;
    if slot.flags & DISPUTED == 0 {
        return Err(GtxError::DisputeDecided.into());
    }
    if dispute.verdict == OPEN {
        if !is_overdue(&dispute, time::now()?) {
            return Err(GtxError::DisputeOpen.into());
        }
        dispute.verdict = ATTESTORS_CONVICTED;
        history::fold(&mut page, CONCLUDE_DISPUTE, 0, data, &[ATTESTORS_CONVICTED]);
        DisputeDecided::emit(meter_id, page.zone, page.page, meter.slot, dispute.number, ATTESTORS_CONVICTED);
        return Ok(());
    }
    if meter.accepted_dispute != dispute.number {
        return Err(GtxError::DisputeNotAccepted.into());
    }
    // The utility may have suspended the record meanwhile: the slot must not move before anyone syncs it.
    slot.flags = slot.flags & !(DISPUTED | ACTIVE | SUSPENDED) | place::status_flag(meter.status)?;
    place::restart(slot, &meter);
    let written = *slot;
    page.moves = more;
    history::fold(&mut page, CONCLUDE_DISPUTE, 0, data, bytemuck::bytes_of(&written));
    DisputeResolved::emit(meter_id, page.zone, page.page, meter.slot, dispute.number, more);
    Ok(())
}
