//! The rule of a rise: it bounds the energy that an attestation or a statement may add to a slot. This is the hot path of
//! attest_page: a `HotSlot` holds a slot's numbers without their types, so that they stay in registers.

use bytemuck::{Pod, Zeroable};
use gtx_common::layout::oracle::{ACTIVE, EXTRA, MOVED, MeterSlot, SUBMITTED};

/// Bounds the windows that count as passed: 30 days.
const MAX_WINDOWS: u64 = 2_880;

/// A `MeterSlot` with its last three fields as one number, so that one access reads or writes them.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub struct HotSlot {
    pub export_wh: u64,
    pub import_wh: u64,
    window: u32,
    export_cap_wh: u32,
    import_cap_wh: u32,
    /// Flags in bits 0 to 15, attestors in 16 to 23, epoch in 24 to 31.
    tail: u32,
}
const _: () = assert!(size_of::<HotSlot>() == size_of::<MeterSlot>());

/// The values that all slots of one attestation share.
pub struct Rule {
    pub window: u64,
    /// ACTIVE and the flags that exclude a slot. An admitted slot has only ACTIVE of them.
    pub relevant: u32,
    /// Attestors and epoch, at their bits of `HotSlot::tail`.
    pub tail: u32,
}

/// Returns true if both rises are at most cap × windows. A cap of 32 bits times at most 2,881 stays far inside 64 bits.
#[inline(always)]
pub fn within_caps(slot: &HotSlot, windows: u64, export_rise: u64, import_rise: u64) -> bool {
    export_rise <= u64::from(slot.export_cap_wh).wrapping_mul(windows)
        && import_rise <= u64::from(slot.import_cap_wh).wrapping_mul(windows)
}

/// Outcome of an attested slot: the bytes of its totals (at most 18), plus SKIPPED when the slot stayed unchanged; or LONG or
/// MALFORMED.
pub const SKIPPED: u64 = 32;
pub const LONG: u64 = 64;
pub const MALFORMED: u64 = 128;

impl Rule {
    /// Returns true if the slot can accept totals of this window.
    #[inline(always)]
    pub fn admits(&self, slot: &HotSlot) -> bool {
        slot.tail & self.relevant == u32::from(ACTIVE) && self.window > u64::from(slot.window)
    }

    /// Writes the slot and returns `used`. Returns MALFORMED when a total would reach 2^63 Wh.
    #[inline(always)]
    pub fn write(&self, slot: &mut HotSlot, export_rise: u64, import_rise: u64, extra: u16, used: u64) -> u64 {
        // A total below 2^63 plus a rise below 2^63 does not wrap, so the top bit shows an overflow.
        let (export_wh, import_wh) =
            (slot.export_wh.wrapping_add(export_rise), slot.import_wh.wrapping_add(import_rise));
        if (export_wh | import_wh) >> 63 != 0 {
            return MALFORMED;
        }
        slot.export_wh = export_wh;
        slot.import_wh = import_wh;
        slot.window = self.window as u32;
        slot.tail = slot.tail & u32::from(!(EXTRA | MOVED | SUBMITTED)) | u32::from(extra) | self.tail;
        used
    }

    /// Raises the slot if the rule allows it [chain §7.3]. A rise up to cap × windows passed is plain. A rise up to one
    /// window's cap more is extra, and not allowed twice in a row.
    #[inline(never)]
    pub fn apply(&self, slot: &mut HotSlot, export_rise: u64, import_rise: u64, used: u64) -> u64 {
        if !self.admits(slot) {
            return used | SKIPPED;
        }
        let passed = self.window.wrapping_sub(u64::from(slot.window)).min(MAX_WINDOWS);
        let extra = if within_caps(slot, passed, export_rise, import_rise) { 0 } else { EXTRA };
        if extra != 0
            && (slot.tail & u32::from(EXTRA) != 0
                || !within_caps(slot, passed.wrapping_add(1), export_rise, import_rise))
        {
            return used | SKIPPED;
        }
        self.write(slot, export_rise, import_rise, extra, used)
    }
}
