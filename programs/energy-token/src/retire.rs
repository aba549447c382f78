//! retire: the owner burns tokens for energy that the same meter took from the grid. What is retired never passes the import.

use gtx_common::{
    GtxError,
    args::Args,
    checks::{self, same_key},
    events::Retired,
    ids,
    layout::{
        energy::{BASE_UNITS_PER_WH, LedgerPage, TokenConfig},
        oracle::{DISPUTED, MeterPage},
        registry::{Meter, NO_SLOT},
    },
};
use pinocchio::{AccountView, ProgramResult, error::ProgramError};

use crate::token;

/// Raises the slot's cursor by `wh`. SlotDisputed, ExcessiveAmount above the import.
fn advance(meters: &MeterPage, ledger: &mut LedgerPage, slot: u16, wh: u64) -> ProgramResult {
    let missing = || ProgramError::from(GtxError::MeterHasNoSlot);
    let meter = meters.slots.get(usize::from(slot)).ok_or_else(missing)?;
    let slot = ledger.slots.get_mut(usize::from(slot)).ok_or_else(missing)?;
    if meter.flags & DISPUTED != 0 {
        return Err(GtxError::SlotDisputed.into());
    }
    match slot.retired_wh.checked_add(wh) {
        Some(retired) if retired <= meter.import_wh => slot.retired_wh = retired,
        _ => return Err(GtxError::ExcessiveAmount.into()),
    }
    Ok(())
}

pub fn process(accounts: &mut [AccountView], data: &[u8]) -> ProgramResult {
    let mut args = Args(data);
    let wh = args.u64()?;
    args.end()?;
    if wh == 0 {
        return Err(GtxError::MalformedInstruction.into());
    }

    let [owner, config, meter, meters, ledger, mint, source, token_program, ..] = accounts else {
        return Err(GtxError::MissingAccount.into());
    };
    checks::signer(owner)?;
    let config = checks::load::<TokenConfig>(config)?;
    checks::writable(mint)?;
    checks::writable(source)?;
    checks::key(token_program, &ids::TOKEN_2022)?;
    if !same_key(&config.mint, mint.address().as_array()) {
        return Err(GtxError::AccountKeyMismatch.into());
    }
    let meter = checks::load::<Meter>(meter)?;
    if !same_key(&meter.owner, owner.address().as_array()) {
        return Err(GtxError::InvalidAuthority.into());
    }
    if meter.slot == NO_SLOT {
        return Err(GtxError::MeterHasNoSlot.into());
    }
    let meters = checks::load::<MeterPage>(meters)?;
    let mut ledger = checks::load_mut::<LedgerPage>(ledger)?;
    for (zone, page) in [(meters.zone, meters.page), (ledger.zone, ledger.page)] {
        if zone != meter.zone || page != meter.page {
            return Err(GtxError::AccountKeyMismatch.into());
        }
    }
    checks::key(source, &token::associated(owner.address(), mint.address())?)?;
    advance(&meters, &mut ledger, meter.slot, wh)?;
    let amount = wh.checked_mul(BASE_UNITS_PER_WH).ok_or(ProgramError::from(GtxError::ArithmeticOverflow))?;
    token::burn(source, mint, owner, amount)?;
    Retired::emit(meter.meter_id, meter.owner, meter.zone, meter.page, meter.slot, wh, amount);
    Ok(())
}
