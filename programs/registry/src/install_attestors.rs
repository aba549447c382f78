//! install_attestors: puts an announced set in force, 96 windows after its announcement. Anyone may send it.

use gtx_common::{GtxError, args::Args, layout::registry::Zone, time};
use pinocchio::{AccountView, Address, ProgramResult, account::RefMut, error::ProgramError};

use crate::announce_attestors::install;

gtx_common::accounts! {
    /// The account of install_attestors.
    struct Accounts<'a> {
        /// The zone with the announcement.
        zone: RefMut<'a, Zone>,
    }
}

impl<'a> Accounts<'a> {
    #[inline(always)]
    pub fn load(_program: &Address, accounts: &'a mut [AccountView]) -> Result<Self, ProgramError> {
        Self::prove(accounts)
    }
}

#[inline(always)]
pub fn process(_program: &Address, accounts: Accounts, data: &[u8]) -> ProgramResult {
    Args(data).end()?;
    let mut zone = accounts.zone;
    if zone.announced_count == 0 {
        return Err(GtxError::NoAttestorSetAnnounced.into());
    }
    let window = time::window_at(time::now()?);
    if window < zone.announced_window.plus(time::DAY_WINDOWS) {
        return Err(GtxError::AttestorSetTooEarly.into());
    }
    install(&mut zone, window)
}
