//! mint_meter: what one wallet slot exported and is not minted yet becomes tokens in its owner's associated account. Anyone.
//! A pool slot or a disputed one is skipped, as mint_page skips what is not its own.

use gtx_common::{
    GtxError,
    args::Args,
    checks::{self, same_key},
    events::MeterMinted,
    ids,
    layout::{
        energy::{BASE_UNITS_PER_WH, LedgerPage, TO_WALLET, TokenConfig},
        oracle::{DISPUTED, MeterPage},
        registry::{Meter, NO_SLOT},
    },
};
use pinocchio::{AccountView, Address, ProgramResult, error::ProgramError};

use crate::token;

/// Raises the slot's cursor; returns by how many Wh.
fn advance(meters: &MeterPage, ledger: &mut LedgerPage, slot: u16) -> Result<u64, ProgramError> {
    let missing = || ProgramError::from(GtxError::MeterHasNoSlot);
    let meter = meters.slots.get(usize::from(slot)).ok_or_else(missing)?;
    let slot = ledger.slots.get_mut(usize::from(slot)).ok_or_else(missing)?;
    if slot.flags & TO_WALLET == 0 || meter.flags & DISPUTED != 0 {
        return Ok(0);
    }
    let due = meter.export_wh.saturating_sub(slot.minted_wh);
    slot.minted_wh = slot.minted_wh.checked_add(due).ok_or(ProgramError::from(GtxError::ArithmeticOverflow))?;
    Ok(due)
}

pub fn process(accounts: &mut [AccountView], data: &[u8]) -> ProgramResult {
    Args(data).end()?;
    let [config, meter, meters, ledger, mint, target, authority, token_program, ..] = accounts else {
        return Err(GtxError::MissingAccount.into());
    };
    let config = checks::load::<TokenConfig>(config)?;
    checks::writable(mint)?;
    checks::writable(target)?;
    checks::key(token_program, &ids::TOKEN_2022)?;
    if !same_key(&config.mint, mint.address().as_array()) {
        return Err(GtxError::AccountKeyMismatch.into());
    }
    let meter = checks::load::<Meter>(meter)?;
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
    checks::key(target, &token::associated(&Address::new_from_array(meter.owner), mint.address())?)?;
    let minted_wh = advance(&meters, &mut ledger, meter.slot)?;
    if minted_wh == 0 {
        return Ok(());
    }
    let amount = minted_wh.checked_mul(BASE_UNITS_PER_WH).ok_or(ProgramError::from(GtxError::ArithmeticOverflow))?;
    token::mint_to(&config, mint, target, authority, amount)?;
    MeterMinted::emit(meter.meter_id, meter.owner, meter.zone, meter.page, meter.slot, minted_wh, amount);
    Ok(())
}
