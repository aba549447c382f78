//! Accounts of the oracle program.

use bytemuck::{Pod, Zeroable};

use super::account;

pub const SLOTS: usize = 256;

pub const ACTIVE: u16 = 1;
/// Frozen by a dispute: no attestation, no mint.
pub const DISPUTED: u16 = 2;
/// The last accepted rise was above cap × windows passed.
pub const EXTRA: u16 = 4;
/// Total or window changed by something else than attest_page.
pub const MOVED: u16 = 8;
pub const CLOSED: u16 = 16;

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub struct MeterSlot {
    pub export_wh: u64,
    pub import_wh: u64,
    pub window: u32,
    pub export_cap: u32,
    pub import_cap: u32,
    pub flags: u16,
    pub attestors: u8,
    pub epoch: u8,
}

/// ["page", zone, page]
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub struct MeterPage {
    pub discriminator: u64,
    pub version: u64,
    pub moves: u32,
    pub highest_window: u32,
    pub last_root: [u8; 32],
    pub history: [u8; 32],
    pub page: u32,
    pub zone: u16,
    pub bump: u8,
    pub format: u8,
    pub slots: [MeterSlot; SLOTS],
}
account!(MeterPage, ORACLE, 8288);

pub const PAGE_FORMAT: u8 = 1;
