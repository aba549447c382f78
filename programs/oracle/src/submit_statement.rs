//! submit_statement: anyone raises one slot with a statement that its meter signed: the way out when attestors are absent or
//! dishonest. Device-signed at once; gateway-signed only when the slot is a day behind [chain §7.6].

use gtx_common::{
    GtxError,
    args::Args,
    checks,
    events::StatementSubmitted,
    layout::{
        oracle::{ACTIVE, CLOSED, DISPUTED, MOVED, MeterPage, SUBMITTED},
        registry::{Meter, STATUS_ACTIVE},
    },
    statement::{self, Signed},
    time,
};
use pinocchio::{AccountView, ProgramResult, error::ProgramError};

use crate::{
    SUBMIT_STATEMENT,
    attest_page::{HotSlot, Rule},
    history, place,
};

const DEVICE_SIGNED: u8 = 1;

/// Whether the slot takes statements by anyone.
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

/// Whether the statement's window may come now, onto a slot that stands at `slot_window`.
#[inline(always)]
fn check_window(window: u32, slot_window: u32, meter: &Meter, now: u64) -> ProgramResult {
    if window <= slot_window {
        return Err(GtxError::WindowNotNewer.into());
    }
    if !time::is_over(window, now) {
        return Err(GtxError::WindowInFuture.into());
    }
    let behind = time::window_at(now).saturating_sub(slot_window);
    if meter.signer_level != DEVICE_SIGNED && behind < time::DAY_WINDOWS {
        return Err(GtxError::StatementTooEarly.into());
    }
    Ok(())
}

/// Raises the slot to the statement's totals, under the caps of attest_page.
#[inline(always)]
fn raise(slot: &mut HotSlot, current: (u64, u64), signed: &Signed, meter: &Meter) -> Result<(u64, u64), ProgramError> {
    let totals = signed.totals(meter).ok_or(ProgramError::from(GtxError::RegisterBelowBaseline))?;
    let (export_rise, import_rise) = match (totals.0.checked_sub(current.0), totals.1.checked_sub(current.1)) {
        (Some(export), Some(import)) if (export | import) >> 63 == 0 => (export, import),
        (None, _) | (_, None) => return Err(GtxError::TotalsFell.into()),
        _ => return Err(GtxError::ExcessiveAmount.into()),
    };
    // Signed by none of the attestors, and moved for a sender that has not seen it.
    let rule = Rule {
        window: u64::from(signed.statement.window),
        relevant: u32::from(ACTIVE | DISPUTED | CLOSED),
        tail: u32::from(MOVED | SUBMITTED),
    };
    if rule.apply(slot, export_rise, import_rise, 0) != 0 {
        return Err(GtxError::ExcessiveAmount.into());
    }
    Ok(totals)
}

pub fn process(accounts: &mut [AccountView], data: &[u8]) -> ProgramResult {
    Args(data).end()?;
    let [page, meter, config, sysvar, ..] = accounts else {
        return Err(GtxError::MissingAccount.into());
    };
    let meter = checks::load::<Meter>(meter)?;
    let mut page = checks::load_mut::<MeterPage>(page)?;
    let page = &mut *page;
    let moves = place::next_moves(page)?;
    let slot = place::slot_of(page, &meter)?;
    check_open(slot.flags, &meter)?;
    let signed = statement::signed(sysvar, config, &meter)?;
    signed.by_present_key(&meter)?;
    let window = signed.statement.window;
    check_window(window, slot.window, &meter, time::now()?)?;
    let current = (slot.export_wh, slot.import_wh);
    let (export_wh, import_wh) = raise(bytemuck::cast_mut(slot), current, &signed, &meter)?;
    page.moves = moves;
    page.highest_window = page.highest_window.max(window);
    history::fold(page, SUBMIT_STATEMENT, 0, data, &signed.payload);
    StatementSubmitted::emit(meter.meter_id, page.zone, page.page, meter.slot, window, export_wh, import_wh, moves);
    Ok(())
}
