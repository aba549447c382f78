//! mint_meter: what one wallet slot exported and is not minted yet becomes tokens in its owner's associated account. Anyone.
//! A pool slot or a disputed one is skipped, as mint_page skips what is not its own; so is energy beyond the zone's budget.

use gtx_common::{
    GtxError,
    args::Args,
    checks::{self, same_key},
    events::{MeterMinted, MintSkipped},
    ids,
    layout::{
        energy::{BASE_UNITS_PER_WH, Budget, LedgerPage, TO_WALLET, TokenConfig},
        oracle::{DISPUTED, MeterPage},
        registry::{Meter, NO_SLOT, Zone},
    },
};
use pinocchio::{AccountView, Address, ProgramResult, error::ProgramError};

use crate::{budget::Room, token};

/// What is due to a wallet slot, in Wh; 0 for a pool slot and a disputed one.
fn due(meters: &MeterPage, ledger: &LedgerPage, slot: u16) -> Result<u64, ProgramError> {
    let missing = || ProgramError::from(GtxError::MeterHasNoSlot);
    let meter = meters.slots.get(usize::from(slot)).ok_or_else(missing)?;
    let slot = ledger.slots.get(usize::from(slot)).ok_or_else(missing)?;
    if slot.flags & TO_WALLET == 0 || meter.flags & DISPUTED != 0 {
        return Ok(0);
    }
    Ok(meter.export_wh.saturating_sub(slot.minted_wh))
}

/// Raises the slot's cursor.
fn advance(ledger: &mut LedgerPage, slot: u16, wh: u64) -> ProgramResult {
    let slot = ledger.slots.get_mut(usize::from(slot)).ok_or(ProgramError::from(GtxError::MeterHasNoSlot))?;
    slot.minted_wh = slot.minted_wh.checked_add(wh).ok_or(ProgramError::from(GtxError::ArithmeticOverflow))?;
    Ok(())
}

pub fn process(accounts: &mut [AccountView], data: &[u8]) -> ProgramResult {
    Args(data).end()?;
    let [config, zone, meter, meters, ledger, budget, mint, target, authority, token_program, ..] = accounts else {
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
    let minted_wh = due(&meters, &ledger, meter.slot)?;
    if minted_wh == 0 {
        return Ok(());
    }
    let mut budget = checks::load_mut::<Budget>(budget)?;
    let room = Room::of(&budget, &*checks::load::<Zone>(zone)?, &meters, mint)?;
    if minted_wh > room.wh {
        MintSkipped::emit(meter.meter_id, meter.zone, meter.page, meter.slot, minted_wh);
        return Ok(());
    }
    room.spend(&mut budget, minted_wh);
    advance(&mut ledger, meter.slot, minted_wh)?;
    let amount = minted_wh.checked_mul(BASE_UNITS_PER_WH).ok_or(ProgramError::from(GtxError::ArithmeticOverflow))?;
    token::mint_to(&config, mint, target, authority, amount)?;
    MeterMinted::emit(meter.meter_id, meter.owner, meter.zone, meter.page, meter.slot, minted_wh, amount);
    Ok(())
}
