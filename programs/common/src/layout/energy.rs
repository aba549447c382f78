//! Accounts of the energy-token program.

use bytemuck::{Pod, Zeroable};

use super::{account, oracle::SLOTS};

/// 1 kWh = 1 GXT = 1,000,000 base units.
pub const BASE_UNITS_PER_WH: u64 = 1_000;
pub const DECIMALS: u8 = 6;

/// ["config"]
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub struct TokenConfig {
    pub discriminator: u64,
    pub mint: [u8; 32],
    pub vault: [u8; 32],
    pub vault_authority: [u8; 32],
    pub bump: u8,
    pub mint_bump: u8,
    pub mint_authority_bump: u8,
    pub reserved: [u8; 61],
}
account!(TokenConfig, ENERGY_TOKEN, 168);

/// LedgerSlot.flags: minted to the owner's wallet instead of the pool.
pub const TO_WALLET: u32 = 1;

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub struct LedgerSlot {
    pub minted_wh: u64,
    pub pooled_wh: u64,
    pub retired_wh: u64,
    pub sold_back_wh: u64,
    pub certified_wh: u64,
    pub import_closed_wh: u64,
    pub flags: u32,
    pub padding: u32,
}

/// ["ledger", zone, page]; the slots of the meter page of the same zone and number
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub struct LedgerPage {
    pub discriminator: u64,
    pub lost_wh: u64,
    pub page: u32,
    pub zone: u16,
    pub bump: u8,
    pub format: u8,
    pub reserved: [u8; 40],
    pub slots: [LedgerSlot; SLOTS],
}
account!(LedgerPage, ENERGY_TOKEN, 14400);

pub const LEDGER_FORMAT: u8 = 1;

/// ["budget", zone]: bounds what a zone can ever mint by its capacity
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub struct Budget {
    pub discriminator: u64,
    /// Minted in the zone so far, in Wh; never falls.
    pub minted_wh: u64,
    /// One window before the highest of the first page that was minted.
    pub from_window: u32,
    /// The highest window of all pages minted so far; 0 before the first mint.
    pub newest_window: u32,
    pub zone: u16,
    pub bump: u8,
    pub format: u8,
    pub reserved: [u8; 36],
}
account!(Budget, ENERGY_TOKEN, 64);

pub const BUDGET_FORMAT: u8 = 1;
