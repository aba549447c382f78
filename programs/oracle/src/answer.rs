//! answer: anyone shows that the meter did sign the slot's totals. The statement is for a window up to the slot's, with totals
//! at least as high. The device has then signed two contradicting statements, and is convicted. Only within 96 windows of the
//! dispute.
//! dispute.

use gtx_common::{
    GtxError,
    accounts::InstructionsSysvar,
    args::Args,
    checks::same_key,
    events::DisputeDecided,
    layout::{
        oracle::{DEVICE_CONVICTED, DISPUTED, Dispute, MeterPage, OPEN},
        registry::{Config, Meter},
    },
    statement::{self, Signed},
    time,
};
use pinocchio::{
    AccountView, Address, ProgramResult,
    account::{Ref, RefMut},
    error::ProgramError,
};

use crate::{ANSWER, history, place};

gtx_common::accounts! {
    /// The accounts of answer.
    struct Accounts<'a> {
        /// The page of the meter's slot.
        meter_page: RefMut<'a, MeterPage>,
        /// The meter, as the registry has it.
        meter: Ref<'a, Meter>,
        /// The slot's case.
        dispute: RefMut<'a, Dispute>,
        /// The Config of the registry.
        config: Ref<'a, Config>,
        instructions: InstructionsSysvar<'a>,
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

/// Checks that this is the case of the meter's slot. AccountKeyMismatch.
pub fn check_case(dispute: &Dispute, meter: &Meter) -> ProgramResult {
    if dispute.zone != meter.zone || dispute.page != meter.page || dispute.slot != meter.slot {
        return Err(GtxError::AccountKeyMismatch.into());
    }
    Ok(())
}

/// Returns true once the time for an answer is over.
pub fn is_overdue(dispute: &Dispute, now: u64) -> bool {
    time::window_at(now) >= dispute.opened_window.plus(time::DAY_WINDOWS)
}

fn check_answer(signed: &Signed, dispute: &Dispute, meter: &Meter) -> ProgramResult {
    signed.is_evidence(meter)?;
    if !same_key(&signed.key, &dispute.key) {
        return Err(GtxError::UnauthorizedMeter.into()); // only one key that signed two contradicting statements convicts a device
    }
    let covers = signed
        .totals(meter)
        .is_some_and(|(export, import)| export >= dispute.slot_export_wh && import >= dispute.slot_import_wh);
    if signed.window > dispute.slot_window || !covers {
        return Err(GtxError::NotAnAnswer.into());
    }
    Ok(())
}

#[inline(always)]
pub fn process(_program: &Address, accounts: Accounts, data: &[u8]) -> ProgramResult {
    Args(data).end()?;
    let Accounts { meter_page: mut page, meter, mut dispute, config, instructions } = accounts;
    if place::slot_of(&mut page, &meter)?.flags & DISPUTED == 0 || dispute.verdict != OPEN {
        return Err(GtxError::DisputeDecided.into());
    }
    if is_overdue(&dispute, time::now()?) {
        return Err(GtxError::NotAnAnswer.into());
    }
    let signed = statement::signed(instructions, &config, &meter)?;
    check_answer(&signed, &dispute, &meter)?;
    dispute.verdict = DEVICE_CONVICTED;
    dispute.answer = signed.payload;
    history::fold(&mut page, ANSWER, 0, data, &signed.payload);
    DisputeDecided::emit(meter.meter_id, page.zone, page.page, meter.slot, dispute.number, DEVICE_CONVICTED);
    Ok(())
}
