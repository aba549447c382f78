//! Finds the slot in which a meter's energy and its tokens are counted.

use gtx_common::{
    GtxError,
    layout::{
        energy::LedgerPage,
        oracle::MeterPage,
        registry::{Meter, NO_SLOT},
    },
};
use pinocchio::ProgramResult;

/// Checks that the meter's slot is on these pages. MeterHasNoSlot, AccountKeyMismatch.
#[inline(always)]
pub fn check(meter: &Meter, meters: &MeterPage, ledger: &LedgerPage) -> ProgramResult {
    if meter.slot == NO_SLOT {
        return Err(GtxError::MeterHasNoSlot.into());
    }
    for (zone, page) in [(meters.zone, meters.page), (ledger.zone, ledger.page)] {
        if zone != meter.zone || page != meter.page {
            return Err(GtxError::AccountKeyMismatch.into());
        }
    }
    Ok(())
}
