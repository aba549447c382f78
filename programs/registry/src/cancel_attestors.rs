//! cancel_attestors: revokes an announced set before it is in force. The zone's utility signs, or a threshold of the set in
//! force.

use gtx_common::{
    GtxError,
    args::Args,
    attestors,
    checks::{self, same_key},
    events::AttestorsCancelled,
    layout::registry::{MAX_ATTESTORS, Zone},
};
use pinocchio::{AccountView, Address, ProgramResult, account::RefMut, error::ProgramError};

use crate::announce_attestors::clear;

gtx_common::accounts! {
    /// The accounts of cancel_attestors.
    struct Accounts<'a> {
        /// The zone with the announcement.
        zone: RefMut<'a, Zone>,
        ..,
        /// Zone.utility alone, or attestors of the set in force. The zone states how many must sign, so their number is not
        /// fixed.
        signers: MAX_ATTESTORS,
    }
}

impl<'a> Accounts<'a> {
    /// NoAttestorSetAnnounced. MissingAccount without a signer, AccountNotSigner, UnknownAttestor, ThresholdNotMet.
    #[inline(always)]
    pub fn load(_program: &Address, accounts: &'a mut [AccountView]) -> Result<Self, ProgramError> {
        let accounts = Self::prove(accounts)?;
        let zone = &accounts.zone;
        if zone.announced_count == 0 {
            return Err(GtxError::NoAttestorSetAnnounced.into());
        }
        match accounts.signers {
            [] => return Err(GtxError::MissingAccount.into()),
            [utility] if same_key(&zone.utility, utility.address().as_array()) => checks::signer(utility)?,
            signers => {
                attestors::quorum(zone, signers)?;
            }
        }
        Ok(accounts)
    }
}

#[inline(always)]
pub fn process(_program: &Address, accounts: Accounts, data: &[u8]) -> ProgramResult {
    Args(data).end()?;
    let mut zone = accounts.zone;
    AttestorsCancelled::emit(zone.zone, zone.announced_window);
    clear(&mut zone);
    Ok(())
}
