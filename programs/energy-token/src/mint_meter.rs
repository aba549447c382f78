//! mint_meter: mints one wallet slot's unminted export into its owner's associated account. Anyone may send it. It skips a pool
//! slot and a disputed one, as mint_page skips a wallet slot. It also skips energy beyond the zone's budget.

use gtx_common::{
    GtxError, Wh,
    accounts::{Token2022, Unchecked, Writable},
    args::Args,
    checks::{self, same_key},
    events::{MeterMinted, MintSkipped},
    layout::{
        energy::{Budget, LedgerPage, TO_WALLET, TokenConfig},
        oracle::{DISPUTED, MeterPage},
        registry::{Meter, Zone},
    },
};
use pinocchio::{
    AccountView, Address, ProgramResult,
    account::{Ref, RefMut},
    error::ProgramError,
};

use crate::{
    budget::{self, Room},
    place, token,
};

gtx_common::accounts! {
    /// The accounts of mint_meter.
    struct Accounts<'a> {
        /// Names the mint and the vault.
        token_config: Ref<'a, TokenConfig>,
        /// The zone, as the registry has it.
        zone: Ref<'a, Zone>,
        /// The meter, as the registry has it.
        meter: Ref<'a, Meter>,
        /// The page of the meter's slot.
        meter_page: Ref<'a, MeterPage>,
        /// The ledger page of the same zone and number.
        ledger_page: RefMut<'a, LedgerPage>,
        /// The zone's budget.
        budget: RefMut<'a, Budget>,
        /// GXT.
        mint: Writable<'a>,
        /// The owner's associated token account.
        owner_token: Writable<'a>,
        /// The PDA that signs for the mint. Its signature proves it in the token program.
        mint_authority: Unchecked<'a>,
        token_program: Token2022<'a>,
    }
}

impl<'a> Accounts<'a> {
    /// MeterHasNoSlot, AccountKeyMismatch for another mint, page or token account, ZoneMismatch for the budget of another zone.
    #[inline(always)]
    pub fn load(_program: &Address, accounts: &'a mut [AccountView]) -> Result<Self, ProgramError> {
        let accounts = Self::prove(accounts)?;
        let Accounts { token_config, zone, meter, meter_page, ledger_page, budget, mint, owner_token, .. } = &accounts;
        if !same_key(&token_config.mint, mint.address().as_array()) {
            return Err(GtxError::AccountKeyMismatch.into());
        }
        place::check(meter, meter_page, ledger_page)?;
        budget::check_zone(budget, zone, meter_page)?;
        checks::key(owner_token, &token::associated(&Address::new_from_array(meter.owner), mint.address())?)?;
        Ok(accounts)
    }
}

/// Returns the energy due to a wallet slot; 0 Wh for a pool slot and a disputed one.
fn due(meters: &MeterPage, ledger: &LedgerPage, slot: u16) -> Result<Wh, ProgramError> {
    let missing = || ProgramError::from(GtxError::MeterHasNoSlot);
    let meter = meters.slots.get(usize::from(slot)).ok_or_else(missing)?;
    let slot = ledger.slots.get(usize::from(slot)).ok_or_else(missing)?;
    if slot.flags & TO_WALLET == 0 || meter.flags & DISPUTED != 0 {
        return Ok(Wh::ZERO);
    }
    Ok(meter.export_wh.saturating_sub(slot.minted_wh))
}

/// Raises the slot's cursor.
fn advance(ledger: &mut LedgerPage, slot: u16, wh: Wh) -> ProgramResult {
    let slot = ledger.slots.get_mut(usize::from(slot)).ok_or(ProgramError::from(GtxError::MeterHasNoSlot))?;
    slot.minted_wh = slot.minted_wh.checked_add(wh).ok_or(ProgramError::from(GtxError::ArithmeticOverflow))?;
    Ok(())
}

#[inline(always)]
pub fn process(_program: &Address, accounts: Accounts, data: &[u8]) -> ProgramResult {
    Args(data).end()?;
    let Accounts { token_config: config, zone, meter, meter_page: meters, ledger_page: mut ledger, .. } = accounts;
    let Accounts { mut budget, mint, owner_token: target, mint_authority: authority, .. } = accounts;
    let minted_wh = due(&meters, &ledger, meter.slot)?;
    if minted_wh.is_zero() {
        return Ok(());
    }
    let room = Room::of(&budget, &zone, &meters, &mint)?;
    if minted_wh > room.wh {
        MintSkipped::emit(meter.meter_id, meter.zone, meter.page, meter.slot, minted_wh);
        return Ok(());
    }
    room.spend(&mut budget, minted_wh);
    advance(&mut ledger, meter.slot, minted_wh)?;
    let amount = minted_wh.base_units().ok_or(ProgramError::from(GtxError::ArithmeticOverflow))?;
    token::mint_to(&config, &mint, &target, &authority, amount)?;
    MeterMinted::emit(meter.meter_id, meter.owner, meter.zone, meter.page, meter.slot, minted_wh, amount);
    Ok(())
}
