//! retire: the owner burns tokens for energy that the same meter imported. The retired energy never passes the import.

use gtx_common::{
    GtxError, Wh,
    accounts::{Signer, Token2022, Writable},
    args::Args,
    checks::{self, same_key},
    events::Retired,
    layout::{
        energy::{LedgerPage, TokenConfig},
        oracle::{DISPUTED, MeterPage},
        registry::Meter,
    },
};
use pinocchio::{
    AccountView, Address, ProgramResult,
    account::{Ref, RefMut},
    error::ProgramError,
};

use crate::{place, token};

gtx_common::accounts! {
    /// The accounts of retire.
    struct Accounts<'a> {
        /// Meter.owner.
        owner: Signer<'a>,
        /// Names the mint and the vault.
        token_config: Ref<'a, TokenConfig>,
        /// The meter, as the registry has it.
        meter: Ref<'a, Meter>,
        /// The page of the meter's slot.
        meter_page: Ref<'a, MeterPage>,
        /// The ledger page of the same zone and number.
        ledger_page: RefMut<'a, LedgerPage>,
        /// GXT.
        mint: Writable<'a>,
        /// The owner's associated token account.
        owner_token: Writable<'a>,
        token_program: Token2022<'a>,
    }
}

impl<'a> Accounts<'a> {
    /// InvalidAuthority for another signer, MeterHasNoSlot, AccountKeyMismatch for another mint, page or token account.
    #[inline(always)]
    pub fn load(_program: &Address, accounts: &'a mut [AccountView]) -> Result<Self, ProgramError> {
        let accounts = Self::prove(accounts)?;
        let Accounts { owner, token_config, meter, meter_page, ledger_page, mint, owner_token, .. } = &accounts;
        if !same_key(&token_config.mint, mint.address().as_array()) {
            return Err(GtxError::AccountKeyMismatch.into());
        }
        if !same_key(&meter.owner, owner.address().as_array()) {
            return Err(GtxError::InvalidAuthority.into());
        }
        place::check(meter, meter_page, ledger_page)?;
        checks::key(owner_token, &token::associated(owner.address(), mint.address())?)?;
        Ok(accounts)
    }
}

/// Raises the slot's cursor by `wh`. SlotDisputed, ExcessiveAmount above the import.
fn advance(meters: &MeterPage, ledger: &mut LedgerPage, slot: u16, wh: Wh) -> ProgramResult {
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

#[inline(always)]
pub fn process(_program: &Address, accounts: Accounts, data: &[u8]) -> ProgramResult {
    let mut args = Args(data);
    let wh = args.wh()?;
    args.end()?;
    if wh.is_zero() {
        return Err(GtxError::MalformedInstruction.into());
    }

    let Accounts { owner, meter, meter_page: meters, ledger_page: mut ledger, mint, owner_token, .. } = accounts;
    advance(&meters, &mut ledger, meter.slot, wh)?;
    let amount = wh.base_units().ok_or(ProgramError::from(GtxError::ArithmeticOverflow))?;
    token::burn(&owner_token, &mint, &owner, amount)?;
    Retired::emit(meter.meter_id, meter.owner, meter.zone, meter.page, meter.slot, wh, amount);
    Ok(())
}
