//! Accounts of the oracle program.

use bytemuck::{Pod, Zeroable};

use super::{account, registry::Meter};
use crate::{Wh, Window};

pub const SLOTS: usize = 256;

pub const ACTIVE: u16 = 1;
/// Frozen by a dispute: no attestation, no mint.
pub const DISPUTED: u16 = 2;
/// The last accepted rise was above cap × windows passed.
pub const EXTRA: u16 = 4;
/// An instruction other than attest_page changed total or window.
pub const MOVED: u16 = 8;
pub const CLOSED: u16 = 16;
/// Suspended by the utility: no longer active, but the totals stay.
pub const SUSPENDED: u16 = 32;
/// The totals are those of a submitted statement. A slot without this flag and without attestors has totals that nobody signed.
pub const SUBMITTED: u16 = 64;

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub struct MeterSlot {
    /// Total since enrolment.
    pub export_wh: Wh,
    /// Total since enrolment.
    pub import_wh: Wh,
    /// The window of the totals.
    pub window: Window,
    /// Bounds the rise of the export in one window, in Wh.
    pub export_cap_wh: u32,
    /// Bounds the rise of the import in one window, in Wh.
    pub import_cap_wh: u32,
    /// Bits: ACTIVE, DISPUTED, EXTRA, MOVED, CLOSED, SUSPENDED, SUBMITTED.
    pub flags: u16,
    /// Bitmap of the attestors that signed the last accepted attest_page; 0 when another instruction moved the slot.
    pub attestors: u8,
    /// Low 8 bits of the attestor-set epoch.
    pub epoch: u8,
}

/// ["page", zone, page]
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub struct MeterPage {
    pub discriminator: u64,
    /// Count of attest_page instructions that landed.
    pub version: u64,
    /// Count of all other changes of a slot's total or window.
    pub moves: u32,
    /// The newest window of all slots.
    pub highest_window: Window,
    /// RFC 6962 root of the last attest_page.
    pub last_root: [u8; 32],
    /// SHA-256 chain over every change.
    pub history: [u8; 32],
    /// Number of the page in its zone.
    pub page: u32,
    /// Number of the zone.
    pub zone: u16,
    /// Bump of this address.
    pub bump: u8,
    /// PAGE_FORMAT.
    pub format: u8,
    /// By slot number.
    pub slots: [MeterSlot; SLOTS],
}
account!(MeterPage, ORACLE, 8288);

impl MeterSlot {
    /// Returns true after activate_slot has written this slot.
    pub fn is_assigned(&self) -> bool {
        self.flags & (ACTIVE | SUSPENDED | CLOSED | DISPUTED) != 0
    }

    /// Returns true if a signature stands behind the totals as the record counts them: the attestors', or the meter's own.
    pub fn is_signed_for(&self, meter: &Meter) -> bool {
        (self.attestors != 0 || self.flags & SUBMITTED != 0) && self.window > meter.baseline_window
    }
}

pub const PAGE_FORMAT: u8 = 1;

pub const OPEN: u8 = 0;
/// The device contradicted itself.
pub const DEVICE_CONVICTED: u8 = 1;
/// Nobody submitted a statement that carries the totals that the attestors signed.
pub const ATTESTORS_CONVICTED: u8 = 2;

/// ["dispute", zone ‖ page ‖ slot]: the slot's latest case and its evidence
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub struct Dispute {
    pub discriminator: u64,
    /// The slot's export when the dispute was opened.
    pub slot_export_wh: Wh,
    /// The slot's import when the dispute was opened.
    pub slot_import_wh: Wh,
    /// Number of the slot's disputes, from 1.
    pub number: u32,
    /// The window (chain clock) of the opening.
    pub opened_window: Window,
    /// The slot's window when the dispute was opened.
    pub slot_window: Window,
    /// Number of the page in its zone.
    pub page: u32,
    /// Number of the zone.
    pub zone: u16,
    /// Number of the slot on its page.
    pub slot: u16,
    /// Bitmap of the attestors that the slot names; 0 when another instruction moved it.
    pub attestors: u8,
    /// Low 8 bits of the attestor-set epoch.
    pub epoch: u8,
    /// OPEN, DEVICE_CONVICTED or ATTESTORS_CONVICTED.
    pub verdict: u8,
    /// Bump of this address.
    pub bump: u8,
    /// The meter that held the slot.
    pub meter_id: [u8; 16],
    /// The account that opened the dispute.
    pub opener: [u8; 32],
    /// The device key that signed the contradiction.
    pub key: [u8; 32],
    /// The contradicting statement.
    pub payload: [u8; 96],
    /// The statement that answered; zero while there is none.
    pub answer: [u8; 96],
    pub reserved: [u8; 32],
}
account!(Dispute, ORACLE, 352);
