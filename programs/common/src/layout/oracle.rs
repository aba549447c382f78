//! Accounts of the oracle program.

use bytemuck::{Pod, Zeroable};

use super::{account, registry::Meter};

pub const SLOTS: usize = 256;

pub const ACTIVE: u16 = 1;
/// Frozen by a dispute: no attestation, no mint.
pub const DISPUTED: u16 = 2;
/// The last accepted rise was above cap × windows passed.
pub const EXTRA: u16 = 4;
/// Total or window changed by something else than attest_page.
pub const MOVED: u16 = 8;
pub const CLOSED: u16 = 16;
/// Suspended by the utility: active no more, but its totals stay.
pub const SUSPENDED: u16 = 32;
/// The totals are those of a statement that anyone submitted. Without this flag and without attestors nobody has signed them.
pub const SUBMITTED: u16 = 64;

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

impl MeterSlot {
    /// Whether activate_slot has ever written this slot.
    pub fn is_assigned(&self) -> bool {
        self.flags & (ACTIVE | SUSPENDED | CLOSED | DISPUTED) != 0
    }

    /// Whether somebody's signature stands behind the totals as the record counts them: attestors', or the meter's own.
    pub fn is_signed_for(&self, meter: &Meter) -> bool {
        (self.attestors != 0 || self.flags & SUBMITTED != 0) && self.window > meter.baseline_window
    }
}

pub const PAGE_FORMAT: u8 = 1;

pub const OPEN: u8 = 0;
/// The device contradicted itself.
pub const DEVICE_CONVICTED: u8 = 1;
/// Nobody showed a statement that carries what the attestors signed.
pub const ATTESTORS_CONVICTED: u8 = 2;

/// ["dispute", zone ‖ page ‖ slot]: the slot's latest case and its evidence
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub struct Dispute {
    pub discriminator: u64,
    pub slot_export_wh: u64,
    pub slot_import_wh: u64,
    pub number: u32,
    pub opened_window: u32,
    pub slot_window: u32,
    pub page: u32,
    pub zone: u16,
    pub slot: u16,
    pub attestors: u8,
    pub epoch: u8,
    pub verdict: u8,
    pub bump: u8,
    pub meter_id: [u8; 16],
    pub opener: [u8; 32],
    pub key: [u8; 32],
    pub payload: [u8; 96],
    pub answer: [u8; 96],
    pub reserved: [u8; 32],
}
account!(Dispute, ORACLE, 352);
