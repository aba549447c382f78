//! answer: anyone shows that the meter did sign what the slot says: a statement for a window up to the slot's, with totals at least
//! as high. Then the device has signed two contradicting things, and is convicted. Only within 96 windows of the dispute.

use gtx_common::{
    GtxError,
    args::Args,
    checks::{self, same_key},
    events::DisputeDecided,
    layout::{
        oracle::{DEVICE_CONVICTED, DISPUTED, Dispute, MeterPage, OPEN},
        registry::Meter,
    },
    statement::{self, Signed},
    time,
};
use pinocchio::{AccountView, ProgramResult};

use crate::{ANSWER, history, place};

/// The slot's case, open. AccountKeyMismatch, DisputeDecided.
pub fn check_case(dispute: &Dispute, meter: &Meter) -> ProgramResult {
    if dispute.zone != meter.zone || dispute.page != meter.page || dispute.slot != meter.slot {
        return Err(GtxError::AccountKeyMismatch.into());
    }
    Ok(())
}

/// Whether the time for an answer is over.
pub fn is_overdue(dispute: &Dispute, now: u64) -> bool {
    time::window_at(now) >= dispute.opened_window.saturating_add(time::DAY_WINDOWS)
}

fn check_answer(signed: &Signed, dispute: &Dispute, meter: &Meter) -> ProgramResult {
    signed.is_evidence(meter)?;
    if !same_key(&signed.key, &dispute.key) {
        return Err(GtxError::UnauthorizedMeter.into()); // a device is convicted by one key that said two things
    }
    let covers = signed
        .totals(meter)
        .is_some_and(|(export, import)| export >= dispute.slot_export_wh && import >= dispute.slot_import_wh);
    if signed.statement.window > dispute.slot_window || !covers {
        return Err(GtxError::NotAnAnswer.into());
    }
    Ok(())
}

pub fn process(accounts: &mut [AccountView], data: &[u8]) -> ProgramResult {
    Args(data).end()?;
    let [page, meter, dispute, config, sysvar, ..] = accounts else {
        return Err(GtxError::MissingAccount.into());
    };
    let meter = checks::load::<Meter>(meter)?;
    let mut page = checks::load_mut::<MeterPage>(page)?;
    let mut dispute = checks::load_mut::<Dispute>(dispute)?;
    check_case(&dispute, &meter)?;
    if place::slot_of(&mut page, &meter)?.flags & DISPUTED == 0 || dispute.verdict != OPEN {
        return Err(GtxError::DisputeDecided.into());
    }
    if is_overdue(&dispute, time::now()?) {
        return Err(GtxError::NotAnAnswer.into());
    }
    let signed = statement::signed(sysvar, config, &meter)?;
    check_answer(&signed, &dispute, &meter)?;
    dispute.verdict = DEVICE_CONVICTED;
    dispute.answer = signed.payload;
    history::fold(&mut page, ANSWER, 0, data, &signed.payload);
    DisputeDecided::emit(meter.meter_id, page.zone, page.page, meter.slot, dispute.number, DEVICE_CONVICTED);
    Ok(())
}
