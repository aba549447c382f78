//! mint_page: mints the unminted export of a page's pool slots into the pool vault, by one mint_to. Anyone may send it. It
//! raises the cursor of each slot to its export, so a second call moves nothing. It skips and reports a slot whose energy does
//! not fit the zone's budget: such a slot never fails its page.

use gtx_common::{
    BaseUnits, GtxError, Wh,
    accounts::{Token2022, Unchecked, Writable},
    args::Args,
    checks::same_key,
    events::PageMinted,
    layout::{
        energy::{Budget, LedgerPage, LedgerSlot, TO_WALLET, TokenConfig},
        oracle::{DISPUTED, MeterPage, MeterSlot, SLOTS},
        registry::Zone,
    },
};
use pinocchio::{
    AccountView, Address, ProgramResult,
    account::{Ref, RefMut},
    error::ProgramError,
};

use crate::{
    budget::{self, Room},
    token,
};

gtx_common::accounts! {
    /// The accounts of mint_page.
    struct Accounts<'a> {
        /// Names the mint and the vault.
        token_config: Ref<'a, TokenConfig>,
        /// The zone, as the registry has it.
        zone: Ref<'a, Zone>,
        /// The page, as the oracle program has it.
        meter_page: Ref<'a, MeterPage>,
        /// The ledger page of the same zone and number.
        ledger_page: RefMut<'a, LedgerPage>,
        /// The zone's budget.
        budget: RefMut<'a, Budget>,
        /// GXT.
        mint: Writable<'a>,
        /// The pool vault.
        vault: Writable<'a>,
        /// The PDA that signs for the mint. Its signature proves it in the token program.
        mint_authority: Unchecked<'a>,
        token_program: Token2022<'a>,
    }
}

impl<'a> Accounts<'a> {
    /// AccountKeyMismatch for another mint, vault or ledger page, ZoneMismatch for the budget or zone of another page.
    #[inline(always)]
    pub fn load(_program: &Address, accounts: &'a mut [AccountView]) -> Result<Self, ProgramError> {
        let accounts = Self::prove(accounts)?;
        let Accounts { token_config, zone, meter_page, ledger_page, budget, mint, vault, .. } = &accounts;
        if !same_key(&token_config.mint, mint.address().as_array())
            || !same_key(&token_config.vault, vault.address().as_array())
            || ledger_page.zone != meter_page.zone
            || ledger_page.page != meter_page.page
        {
            return Err(GtxError::AccountKeyMismatch.into());
        }
        budget::check_zone(budget, zone, meter_page)?;
        Ok(accounts)
    }
}

/// The sum of one page's raised cursors.
struct Advance {
    moved: u16,
    wh: Wh,
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

/// Raises the cursors of the pool slots, each by all that is due or not at all, together by at most `room`. Not inlined, so
/// that the loop's values fit the machine's registers.
#[inline(never)]
fn advance(meters: &[MeterSlot; SLOTS], ledger: &mut [LedgerSlot; SLOTS], room: Wh) -> Advance {
    let (mut moved, mut left, mut skipped) = (0u16, room.get(), [0; SLOTS / 8]);
    let mut index = 0u16;
    for (meter, slot) in meters.iter().zip(ledger) {
        let place = index;
        index = index.wrapping_add(1);
        if meter.export_wh <= slot.minted_wh || slot.flags & TO_WALLET != 0 || meter.flags & DISPUTED != 0 {
            continue;
        }
        let due = meter.export_wh.get().wrapping_sub(slot.minted_wh.get()); // positive, see above
        if due > left {
            mark(&mut skipped, place);
            continue;
        }
        left = left.wrapping_sub(due);
        slot.minted_wh = meter.export_wh;
        slot.pooled_wh = Wh::new(slot.pooled_wh.get().wrapping_add(due)); // stays at most minted_wh
        moved = moved.wrapping_add(1);
    }
    Advance { moved, wh: Wh::new(room.get().wrapping_sub(left)), skipped }
}

#[inline(always)]
pub fn process(_program: &Address, accounts: Accounts, data: &[u8]) -> ProgramResult {
    Args(data).end()?;
    let Accounts { token_config: config, zone, meter_page: meters, ledger_page: mut ledger, .. } = accounts;
    let Accounts { mut budget, mint, vault, mint_authority: authority, .. } = accounts;
    let room = Room::of(&budget, &zone, &meters, &mint)?;
    let done = advance(&meters.slots, &mut ledger.slots, room.wh);
    if done.moved == 0 {
        if done.skipped != [0; SLOTS / 8] {
            PageMinted::emit(ledger.zone, ledger.page, 0, Wh::ZERO, BaseUnits::ZERO, done.skipped);
        }
        return Ok(());
    }
    room.spend(&mut budget, done.wh);
    let amount = done.wh.base_units().ok_or(ProgramError::from(GtxError::ArithmeticOverflow))?;
    token::mint_to(&config, &mint, &vault, &authority, amount)?;
    PageMinted::emit(ledger.zone, ledger.page, done.moved, done.wh, amount, done.skipped);
    Ok(())
}
