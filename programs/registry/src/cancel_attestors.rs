//! cancel_attestors: takes an announced set back before it is in force. The zone's utility, or the set in force by its threshold.

use gtx_common::{
    GtxError,
    args::Args,
    attestors,
    checks::{self, same_key},
    events::AttestorsCancelled,
    layout::registry::Zone,
};
use pinocchio::{AccountView, ProgramResult};

use crate::announce_attestors::clear;

pub fn process(accounts: &mut [AccountView], data: &[u8]) -> ProgramResult {
    Args(data).end()?;
    let [zone, signers @ ..] = accounts else {
        return Err(GtxError::MissingAccount.into());
    };
    let mut zone = checks::load_mut::<Zone>(zone)?;
    if zone.announced_count == 0 {
        return Err(GtxError::NoAttestorSetAnnounced.into());
    }
    match signers {
        [] => return Err(GtxError::MissingAccount.into()),
        [utility] if same_key(&zone.utility, utility.address().as_array()) => checks::signer(utility)?,
        signers => {
            attestors::quorum(&zone, signers)?;
        }
    }
    AttestorsCancelled::emit(zone.zone, zone.announced_window);
    clear(&mut zone);
    Ok(())
}
