//! mint_page: what the pool slots of a page exported and is not minted yet becomes tokens in the pool vault, by one mint_to. Anyone.
//! The cursor of each slot is raised to its export, so sending it again moves nothing. A slot whose energy does not fit the zone's
//! budget is skipped and reported, and never fails its page.

use gtx_common::{
    GtxError,
    args::Args,
    checks::{self, same_key},
    events::PageMinted,
    ids,
    layout::{
        energy::{BASE_UNITS_PER_WH, Budget, LedgerPage, LedgerSlot, TO_WALLET, TokenConfig},
        oracle::{DISPUTED, MeterPage, MeterSlot, SLOTS},
        registry::Zone,
    },
};
use pinocchio::{AccountView, ProgramResult, error::ProgramError};

use crate::{budget::Room, token};

/// What a page's slots took.
struct Advance {
    moved: u16,
    wh: u64,
    /// Bitmap of the slots whose energy does not fit now.
    skipped: [u8; SLOTS / 8],
}

/// Sets the bit of a slot.
#[cold]
#[inline(never)]
fn mark(bitmap: &mut [u8; SLOTS / 8], index: u16) {
    if let Some(byte) = bitmap.get_mut(usize::from(index >> 3)) {
        *byte |= 1u8 << (index & 7);
    }
}

/// Raises the cursors of the pool slots, each by all that is due or not at all, by `room` Wh together at most.
#[inline(always)]
fn advance(meters: &[MeterSlot; SLOTS], ledger: &mut [LedgerSlot; SLOTS], room: u64) -> Advance {
    let (mut moved, mut left, mut skipped) = (0u16, room, [0; SLOTS / 8]);
    let mut index = 0u16;
    for (meter, slot) in meters.iter().zip(ledger) {
        let place = index;
        index = index.wrapping_add(1);
        if meter.export_wh <= slot.minted_wh || slot.flags & TO_WALLET != 0 || meter.flags & DISPUTED != 0 {
            continue;
        }
        let due = meter.export_wh.wrapping_sub(slot.minted_wh); // positive, see above
        if due > left {
            mark(&mut skipped, place);
            continue;
        }
        left = left.wrapping_sub(due);
        slot.minted_wh = meter.export_wh;
        slot.pooled_wh = slot.pooled_wh.wrapping_add(due); // stays at most minted_wh
        moved = moved.wrapping_add(1);
    }
    Advance { moved, wh: room.wrapping_sub(left), skipped }
}

pub fn process(accounts: &mut [AccountView], data: &[u8]) -> ProgramResult {
    Args(data).end()?;
    let [config, zone, meters, ledger, budget, mint, vault, authority, token_program, ..] = accounts else {
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
    let mut budget = checks::load_mut::<Budget>(budget)?;
    let room = Room::of(&budget, &*checks::load::<Zone>(zone)?, &meters, mint)?;
    let done = advance(&meters.slots, &mut ledger.slots, room.wh);
    if done.moved == 0 {
        if done.skipped != [0; SLOTS / 8] {
            PageMinted::emit(ledger.zone, ledger.page, 0, 0, 0, done.skipped);
        }
        return Ok(());
    }
    room.spend(&mut budget, done.wh);
    let amount = done.wh.checked_mul(BASE_UNITS_PER_WH).ok_or(ProgramError::from(GtxError::ArithmeticOverflow))?;
    token::mint_to(&config, mint, vault, authority, amount)?;
    PageMinted::emit(ledger.zone, ledger.page, done.moved, done.wh, amount, done.skipped);
    Ok(())
}
