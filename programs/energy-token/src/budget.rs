//! How much a zone may mint [chain §7.11]. What its lines can carry bounds it, whoever signs: minted ≤ ⌈capacity · 0.25 h · 1.1⌉ × windows
//! since the first mint. Windows follow the pages, never the clock, so that waiting earns nothing.

use gtx_common::{
    GtxError, caps,
    layout::{
        energy::{BASE_UNITS_PER_WH, Budget},
        oracle::MeterPage,
        registry::Zone,
    },
};
use pinocchio::{AccountView, error::ProgramError};

/// Where the supply stands in a mint account of Token-2022.
const SUPPLY_AT: usize = 36;

/// What may be minted now, and the budget's windows if anything is.
pub struct Room {
    pub wh: u64,
    from_window: u32,
    newest_window: u32,
}

/// Base units in existence. AccountTypeMismatch for an account that is too short to be a mint.
fn supply(mint: &AccountView) -> Result<u64, ProgramError> {
    let data = mint.try_borrow()?;
    let bytes = data.get(SUPPLY_AT..).and_then(|rest| rest.first_chunk::<8>());
    Ok(u64::from_le_bytes(*bytes.ok_or(ProgramError::from(GtxError::AccountTypeMismatch))?))
}

impl Room {
    /// What the zone's budget and the token's supply leave. ZoneMismatch when the three accounts belong to different zones.
    pub fn of(budget: &Budget, zone: &Zone, page: &MeterPage, mint: &AccountView) -> Result<Self, ProgramError> {
        if zone.zone != page.zone || budget.zone != page.zone {
            return Err(GtxError::ZoneMismatch.into());
        }
        let is_first = budget.newest_window == 0;
        let from_window = if is_first { page.highest_window.saturating_sub(1) } else { budget.from_window };
        let newest_window = budget.newest_window.max(page.highest_window);
        let windows = u64::from(newest_window.saturating_sub(from_window));
        let earned = caps::window_wh(zone.capacity_w).saturating_mul(windows);
        let issuable = u64::MAX.saturating_sub(supply(mint)?) / BASE_UNITS_PER_WH;
        let wh = earned.saturating_sub(budget.minted_wh).min(issuable);
        Ok(Self { wh, from_window, newest_window })
    }

    /// Writes down that `wh`, at most `self.wh`, are minted.
    pub fn spend(&self, budget: &mut Budget, wh: u64) {
        budget.minted_wh = budget.minted_wh.saturating_add(wh);
        budget.from_window = self.from_window;
        budget.newest_window = self.newest_window;
    }
}
