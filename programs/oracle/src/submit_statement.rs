//! submit_statement: anyone raises one slot with a statement that its meter signed. This serves when attestors are absent or
//! dishonest. A device-signed statement counts at once, a gateway-signed one only when the slot is a day behind [chain §7.6].

use gtx_common::{
    GtxError, Wh, Window,
    accounts::InstructionsSysvar,
    args::Args,
    events::StatementSubmitted,
    layout::{
        oracle::{ACTIVE, CLOSED, DISPUTED, MOVED, MeterPage, SUBMITTED},
        registry::{Config, Meter, STATUS_ACTIVE},
    },
    statement::{self, Signed},
    time,
};
use pinocchio::{
    AccountView, Address, ProgramResult,
    account::{Ref, RefMut},
    error::ProgramError,
};

use crate::{
    SUBMIT_STATEMENT, history, place,
    rule::{HotSlot, Rule},
};

gtx_common::accounts! {
    /// The accounts of submit_statement.
    struct Accounts<'a> {
        /// The page of the meter's slot.
        meter_page: RefMut<'a, MeterPage>,
        /// The meter, as the registry has it.
        meter: Ref<'a, Meter>,
        /// The Config of the registry.
        config: Ref<'a, Config>,
        instructions: InstructionsSysvar<'a>,
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

const DEVICE_SIGNED: u8 = 1;

/// Checks that the slot accepts statements by anyone.
#[inline(always)]
fn check_open(flags: u16, meter: &Meter) -> ProgramResult {
    if flags & CLOSED != 0 {
        return Err(GtxError::SlotClosed.into());
    }
    if flags & DISPUTED != 0 {
        return Err(GtxError::SlotDisputed.into());
    }
    if flags & ACTIVE == 0 || meter.status != STATUS_ACTIVE {
        return Err(GtxError::MeterNotActive.into());
    }
    Ok(())
}

/// Checks that the slot, which stands at `slot_window`, may accept the statement's window now.
#[inline(always)]
fn check_window(window: Window, slot_window: Window, meter: &Meter, now: u64) -> ProgramResult {
    if window <= slot_window {
        return Err(GtxError::WindowNotNewer.into());
    }
    if !time::is_over(window, now) {
        return Err(GtxError::WindowInFuture.into());
    }
    let behind = time::window_at(now).since(slot_window);
    if meter.signer_level != DEVICE_SIGNED && behind < time::DAY_WINDOWS {
        return Err(GtxError::StatementTooEarly.into());
    }
    Ok(())
}

/// Raises the slot to the statement's totals, under the caps of attest_page.
#[inline(always)]
fn raise(slot: &mut HotSlot, current: (Wh, Wh), signed: &Signed, meter: &Meter) -> Result<(Wh, Wh), ProgramError> {
    let totals = signed.totals(meter).ok_or(ProgramError::from(GtxError::RegisterBelowBaseline))?;
    let (export_rise, import_rise) = match (totals.0.checked_sub(current.0), totals.1.checked_sub(current.1)) {
        (Some(export), Some(import)) if (export.get() | import.get()) >> 63 == 0 => (export.get(), import.get()),
        (None, _) | (_, None) => return Err(GtxError::TotalsFell.into()),
        _ => return Err(GtxError::ExcessiveAmount.into()),
    };
    // No attestor signed it, and it is MOVED for a sender that has not read it.
    let rule = Rule {
        window: u64::from(signed.window.get()),
        relevant: u32::from(ACTIVE | DISPUTED | CLOSED),
        tail: u32::from(MOVED | SUBMITTED),
    };
    if rule.apply(slot, export_rise, import_rise, 0) != 0 {
        return Err(GtxError::ExcessiveAmount.into());
    }
    Ok(totals)
}

#[inline(always)]
pub fn process(_program: &Address, accounts: Accounts, data: &[u8]) -> ProgramResult {
    Args(data).end()?;
    let Accounts { meter_page: mut page, meter, config, instructions } = accounts;
    let page = &mut *page;
    let moves = place::next_moves(page)?;
    let slot = place::slot_of(page, &meter)?;
    check_open(slot.flags, &meter)?;
    let signed = statement::signed(instructions, &config, &meter)?;
    signed.by_present_key(&meter)?;
    let window = signed.window;
    check_window(window, slot.window, &meter, time::now()?)?;
    let current = (slot.export_wh, slot.import_wh);
    let (export_wh, import_wh) = raise(bytemuck::cast_mut(slot), current, &signed, &meter)?;
    page.moves = moves;
    page.highest_window = page.highest_window.max(window);
    history::fold(page, SUBMIT_STATEMENT, 0, data, &signed.payload);
    StatementSubmitted::emit(meter.meter_id, page.zone, page.page, meter.slot, window, export_wh, import_wh, moves);
    Ok(())
}
