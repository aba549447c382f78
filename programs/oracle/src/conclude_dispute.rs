//! conclude_dispute: anyone moves a case on. Unanswered for 96 windows, it convicts the attestors that the slot names. With a verdict,
//! and once the utility has answered it in the registry (set_status), the slot is free again: only this clears
//! DISPUTED.

use gtx_common::{
    GtxError,
    args::Args,
    checks,
    events::{DisputeDecided, DisputeResolved},
    layout::{
        oracle::{ACTIVE, ATTESTORS_CONVICTED, DISPUTED, Dispute, MeterPage, OPEN, SUSPENDED},
        registry::Meter,
    },
    time,
};
use pinocchio::{AccountView, ProgramResult};

use crate::{
    CONCLUDE_DISPUTE,
    answer::{check_case, is_overdue},
    history, place,
};

pub fn process(accounts: &mut [AccountView], data: &[u8]) -> ProgramResult {
    let mut args = Args(data);
    let meter_id = *args.bytes::<16>()?;
    args.end()?;

    let [page, meter, dispute, ..] = accounts else {
        return Err(GtxError::MissingAccount.into());
    };
    let meter = checks::load::<Meter>(meter)?;
    let mut page = checks::load_mut::<MeterPage>(page)?;
    let mut dispute = checks::load_mut::<Dispute>(dispute)?;
    if meter.meter_id != meter_id {
        return Err(GtxError::AccountKeyMismatch.into());
    }
    check_case(&dispute, &meter)?;
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
    // The record may be suspended meanwhile: the slot must not move before anyone syncs it.
    slot.flags = slot.flags & !(DISPUTED | ACTIVE | SUSPENDED) | place::status_flag(meter.status)?;
    place::restart(slot, &meter);
    let written = *slot;
    page.moves = more;
    history::fold(&mut page, CONCLUDE_DISPUTE, 0, data, bytemuck::bytes_of(&written));
    DisputeResolved::emit(meter_id, page.zone, page.page, meter.slot, dispute.number, more);
    Ok(())
}
