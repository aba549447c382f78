//! set_destination: the owner says where new energy of the slot goes from now on, the pool or the own wallet.

use gtx_common::{
    GtxError,
    args::Args,
    checks::{self, same_key},
    events::DestinationSet,
    layout::{
        energy::{LedgerPage, TO_WALLET},
        registry::{Meter, NO_SLOT},
    },
};
use pinocchio::{AccountView, ProgramResult, error::ProgramError};

pub fn process(accounts: &mut [AccountView], data: &[u8]) -> ProgramResult {
    let mut args = Args(data);
    let wallet = args.bool()?;
    args.end()?;

    let [owner, meter, ledger, ..] = accounts else {
        return Err(GtxError::MissingAccount.into());
    };
    checks::signer(owner)?;
    let meter = checks::load::<Meter>(meter)?;
    if !same_key(&meter.owner, owner.address().as_array()) {
        return Err(GtxError::InvalidAuthority.into());
    }
    if meter.slot == NO_SLOT {
        return Err(GtxError::MeterHasNoSlot.into());
    }
    let mut ledger = checks::load_mut::<LedgerPage>(ledger)?;
    if ledger.zone != meter.zone || ledger.page != meter.page {
        return Err(GtxError::AccountKeyMismatch.into());
    }
    let slot = ledger.slots.get_mut(usize::from(meter.slot)).ok_or(ProgramError::from(GtxError::MeterHasNoSlot))?;
    slot.flags = if wallet { slot.flags | TO_WALLET } else { slot.flags & !TO_WALLET };
    DestinationSet::emit(meter.meter_id, meter.zone, meter.page, meter.slot, u8::from(wallet));
    Ok(())
}
