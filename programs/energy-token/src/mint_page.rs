//! mint_page: what the pool slots of a page exported and is not minted yet becomes tokens in the pool vault, by one mint_to. Anyone.
//! The cursor of each slot is raised to its export, so sending it again moves nothing.

use gtx_common::{
    GtxError,
    args::Args,
    checks::{self, same_key},
    events::PageMinted,
    ids,
    layout::{
        energy::{BASE_UNITS_PER_WH, LedgerPage, LedgerSlot, TO_WALLET, TokenConfig},
        oracle::{DISPUTED, MeterPage, MeterSlot, SLOTS},
    },
};
use pinocchio::{AccountView, ProgramResult, error::ProgramError};

use crate::token;

/// Raises the cursors of the pool slots; returns how many moved and by how many Wh together.
#[inline(always)]
fn advance(meters: &[MeterSlot; SLOTS], ledger: &mut [LedgerSlot; SLOTS]) -> Result<(u16, u64), ProgramError> {
    let overflow = || ProgramError::from(GtxError::ArithmeticOverflow);
    let (mut moved, mut sum) = (0u16, 0u64);
    for (meter, slot) in meters.iter().zip(ledger) {
        if meter.export_wh <= slot.minted_wh || slot.flags & TO_WALLET != 0 || meter.flags & DISPUTED != 0 {
            continue;
        }
        let due = meter.export_wh.wrapping_sub(slot.minted_wh); // positive, see above
        slot.minted_wh = meter.export_wh;
        slot.pooled_wh = slot.pooled_wh.checked_add(due).ok_or_else(overflow)?;
        sum = sum.checked_add(due).ok_or_else(overflow)?;
        moved = moved.wrapping_add(1);
    }
    Ok((moved, sum))
}

pub fn process(accounts: &mut [AccountView], data: &[u8]) -> ProgramResult {
    Args(data).end()?;
    let [config, meters, ledger, mint, vault, authority, token_program, ..] = accounts else {
        return Err(GtxError::MissingAccount.into());
    };
    let config = checks::load::<TokenConfig>(config)?;
    checks::writable(mint)?;
    checks::writable(vault)?;
    checks::key(token_program, &ids::TOKEN_2022)?;
    if !same_key(&config.mint, mint.address().as_array()) || !same_key(&config.vault, vault.address().as_array()) {
        return Err(GtxError::AccountKeyMismatch.into());
    }
    let meters = checks::load::<MeterPage>(meters)?;
    let mut ledger = checks::load_mut::<LedgerPage>(ledger)?;
    if ledger.zone != meters.zone || ledger.page != meters.page {
        return Err(GtxError::AccountKeyMismatch.into());
    }
    let (moved, minted_wh) = advance(&meters.slots, &mut ledger.slots)?;
    if moved == 0 {
        return Ok(());
    }
    let amount = minted_wh.checked_mul(BASE_UNITS_PER_WH).ok_or(ProgramError::from(GtxError::ArithmeticOverflow))?;
    token::mint_to(&config, mint, vault, authority, amount)?;
    PageMinted::emit(ledger.zone, ledger.page, moved, minted_wh, amount);
    Ok(())
}
