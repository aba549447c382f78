//! Accounts of the energy-token program.

use bytemuck::{Pod, Zeroable};

use super::{account, oracle::SLOTS};
use crate::{Wh, Window};

/// 1 kWh = 1 GXT = 1,000,000 base units.
pub const DECIMALS: u8 = 6;

/// ["config"]
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub struct TokenConfig {
    pub discriminator: u64,
    /// Address of the GXT mint.
    pub mint: [u8; 32],
    /// Address of the pool vault.
    pub vault: [u8; 32],
    /// Owner of the pool vault.
    pub vault_authority: [u8; 32],
    /// Bump of this address.
    pub bump: u8,
    /// Bump of the mint's address.
    pub mint_bump: u8,
    /// Bump of the mint authority's address.
    pub mint_authority_bump: u8,
    pub reserved: [u8; 61],
}
account!(TokenConfig, ENERGY_TOKEN, 168);

/// LedgerSlot.flags: minted to the owner's wallet instead of the pool.
pub const TO_WALLET: u32 = 1;

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub struct LedgerSlot {
    /// Export for which tokens were minted, in Wh. It follows the slot's export and never falls.
    pub minted_wh: Wh,
    /// The part of `minted_wh` that went to the pool.
    pub pooled_wh: Wh,
    /// Import for which the owner burned tokens, in Wh.
    pub retired_wh: Wh,
    /// Energy that the owner sold back; kept for sell_back.
    pub sold_back_wh: Wh,
    /// Energy with a certificate; kept for certify.
    pub certified_wh: Wh,
    /// Import at the last market close.
    pub import_closed_wh: Wh,
    /// Bits: TO_WALLET.
    pub flags: u32,
    pub padding: u32,
}

/// ["ledger", zone, page]; the slots of the meter page of the same zone and number
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub struct LedgerPage {
    pub discriminator: u64,
    /// Energy lost on the way between zones, burned.
    pub lost_wh: Wh,
    /// Number of the page in its zone.
    pub page: u32,
    /// Number of the zone.
    pub zone: u16,
    /// Bump of this address.
    pub bump: u8,
    /// LEDGER_FORMAT.
    pub format: u8,
    pub reserved: [u8; 40],
    /// By slot number.
    pub slots: [LedgerSlot; SLOTS],
}
account!(LedgerPage, ENERGY_TOKEN, 14400);

pub const LEDGER_FORMAT: u8 = 1;

/// ["budget", zone]: bounds by a zone's capacity how much the zone can ever mint
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub struct Budget {
    pub discriminator: u64,
    /// Minted in the zone so far, in Wh; never falls.
    pub minted_wh: Wh,
    /// One window before the highest window of the first page that was minted.
    pub from_window: Window,
    /// The highest window of all pages minted so far; 0 before the first mint.
    pub newest_window: Window,
    /// Number of the zone.
    pub zone: u16,
    /// Bump of this address.
    pub bump: u8,
    /// BUDGET_FORMAT.
    pub format: u8,
    pub reserved: [u8; 36],
}
account!(Budget, ENERGY_TOKEN, 64);

pub const BUDGET_FORMAT: u8 = 1;
