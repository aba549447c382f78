//! Bounds a zone's minting [chain §7.11]. The capacity of its lines bounds it, whoever signs: minted ≤ ⌈capacity · 0.25 h ·
//! 1.1⌉ × windows since the first mint. Windows follow the pages, never the clock, so that waiting earns nothing.

use gtx_common::{
    BaseUnits, GtxError, Wh, Window, caps,
    layout::{energy::Budget, oracle::MeterPage, registry::Zone},
};
use pinocchio::{AccountView, ProgramResult, error::ProgramError};

/// The offset of the supply in a mint account of Token-2022.
const SUPPLY_AT: usize = 36;

/// The energy that may be minted now, and the budget's new windows if any is minted.
pub struct Room {
    pub wh: Wh,
    from_window: Window,
    newest_window: Window,
}

/// Returns the supply of GXT. AccountTypeMismatch for an account that is too short to be a mint.
fn supply(mint: &AccountView) -> Result<BaseUnits, ProgramError> {
    let data = mint.try_borrow()?;
    let bytes = data.get(SUPPLY_AT..).and_then(|rest| rest.first_chunk::<8>());
    Ok(BaseUnits::new(u64::from_le_bytes(*bytes.ok_or(ProgramError::from(GtxError::AccountTypeMismatch))?)))
}

/// Checks that budget, zone and page are of one zone. ZoneMismatch.
pub fn check_zone(budget: &Budget, zone: &Zone, page: &MeterPage) -> ProgramResult {
    if zone.zone != page.zone || budget.zone != page.zone {
        return Err(GtxError::ZoneMismatch.into());
    }
    Ok(())
}

impl Room {
    /// Returns the room that the zone's budget and the token's supply leave. Budget, zone and page are of one zone.
    pub fn of(budget: &Budget, zone: &Zone, page: &MeterPage, mint: &AccountView) -> Result<Self, ProgramError> {
        let is_first = budget.newest_window.is_unset();
        let from_window = if is_first { page.highest_window.before() } else { budget.from_window };
        let newest_window = budget.newest_window.max(page.highest_window);
        let windows = u64::from(newest_window.since(from_window));
        let earned = Wh::new(caps::window_wh(zone.capacity_w).get().saturating_mul(windows));
        let issuable = BaseUnits::new(u64::MAX).saturating_sub(supply(mint)?).whole_wh();
        let wh = earned.saturating_sub(budget.minted_wh).min(issuable);
        Ok(Self { wh, from_window, newest_window })
    }

    /// Records that `wh`, at most `self.wh`, are minted.
    pub fn spend(&self, budget: &mut Budget, wh: Wh) {
        budget.minted_wh = budget.minted_wh.saturating_add(wh);
        budget.from_window = self.from_window;
        budget.newest_window = self.newest_window;
    }
}
