//! set_destination: the owner chooses where tokens for the slot's new energy go: the pool, or the owner's wallet.

use gtx_common::{
    GtxError,
    accounts::Signer,
    args::Args,
    checks::same_key,
    events::DestinationSet,
    layout::{
        energy::{LedgerPage, TO_WALLET},
        registry::{Meter, NO_SLOT},
    },
};
use pinocchio::{
    AccountView, Address, ProgramResult,
    account::{Ref, RefMut},
    error::ProgramError,
};

gtx_common::accounts! {
    /// The accounts of set_destination.
    struct Accounts<'a> {
        /// Meter.owner.
        owner: Signer<'a>,
        /// The meter, as the registry has it.
        meter: Ref<'a, Meter>,
        /// The page of the meter's slot.
        ledger_page: RefMut<'a, LedgerPage>,
    }
}

impl<'a> Accounts<'a> {
    /// InvalidAuthority for another signer, MeterHasNoSlot, AccountKeyMismatch for another page.
    #[inline(always)]
    pub fn load(_program: &Address, accounts: &'a mut [AccountView]) -> Result<Self, ProgramError> {
        let accounts = Self::prove(accounts)?;
        let Accounts { owner, meter, ledger_page } = &accounts;
        if !same_key(&meter.owner, owner.address().as_array()) {
            return Err(GtxError::InvalidAuthority.into());
        }
        if meter.slot == NO_SLOT {
            return Err(GtxError::MeterHasNoSlot.into());
        }
        if ledger_page.zone != meter.zone || ledger_page.page != meter.page {
            return Err(GtxError::AccountKeyMismatch.into());
        }
        Ok(accounts)
    }
}

#[inline(always)]
pub fn process(_program: &Address, accounts: Accounts, data: &[u8]) -> ProgramResult {
    let mut args = Args(data);
    let wallet = args.bool()?;
    args.end()?;

    let Accounts { meter, ledger_page: mut ledger, .. } = accounts;
    let slot = ledger.slots.get_mut(usize::from(meter.slot)).ok_or(ProgramError::from(GtxError::MeterHasNoSlot))?;
    slot.flags = if wallet { slot.flags | TO_WALLET } else { slot.flags & !TO_WALLET };
    DestinationSet::emit(meter.meter_id, meter.zone, meter.page, meter.slot, u8::from(wallet));
    Ok(())
}
