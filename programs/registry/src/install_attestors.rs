//! install_attestors: puts an announced set in force, 96 windows after its announcement. Anyone.

use gtx_common::{GtxError, args::Args, checks, layout::registry::Zone, time};
use pinocchio::{AccountView, ProgramResult};

use crate::announce_attestors::install;

pub fn process(accounts: &mut [AccountView], data: &[u8]) -> ProgramResult {
    Args(data).end()?;
    let [zone, ..] = accounts else {
        return Err(GtxError::MissingAccount.into());
    };
    let mut zone = checks::load_mut::<Zone>(zone)?;
    if zone.announced_count == 0 {
        return Err(GtxError::NoAttestorSetAnnounced.into());
    }
    let window = time::window_at(time::now()?);
    if window < zone.announced_window.saturating_add(time::DAY_WINDOWS) {
        return Err(GtxError::AttestorSetTooEarly.into());
    }
    install(&mut zone, window)
}
