//! The rule of a rise: what an attestation or a statement may add to a slot. The hot path of attest_page: a `HotSlot` holds a slot's
//! numbers without their types, so that they stay in registers.

use bytemuck::{Pod, Zeroable};
use gtx_common::layout::oracle::{ACTIVE, EXTRA, MOVED, MeterSlot, SUBMITTED};

/// Windows passed count at most 30 days.
const MAX_WINDOWS: u64 = 2_880;

/// A `MeterSlot` with its last three fields as one number, so that they are read and written at once.
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

/// What all slots of one attestation share.
pub struct Rule {
    pub window: u64,
    /// ACTIVE and the flags that exclude a slot: of these it must have ACTIVE only.
    pub relevant: u32,
    /// Attestors and epoch, in their place of `HotSlot::tail`.
    pub tail: u32,
}

/// Whether both rises are at most cap × windows. A cap of 32 bits times at most 2,881 stays far inside 64.
#[inline(always)]
pub fn within_caps(slot: &HotSlot, windows: u64, export_rise: u64, import_rise: u64) -> bool {
    export_rise <= u64::from(slot.export_cap_wh).wrapping_mul(windows)
        && import_rise <= u64::from(slot.import_cap_wh).wrapping_mul(windows)
}

/// What became of an attested slot: its bytes of totals (at most 18), with SKIPPED added when the slot stayed as it was; or one of
/// the other two.
pub const SKIPPED: u64 = 32;
pub const LONG: u64 = 64;
pub const MALFORMED: u64 = 128;

impl Rule {
    /// Whether the slot can take anything of this window.
    #[inline(always)]
    pub fn admits(&self, slot: &HotSlot) -> bool {
        slot.tail & self.relevant == u32::from(ACTIVE) && self.window > u64::from(slot.window)
    }

    /// Writes the slot: `used`, or MALFORMED when a total would reach 2^63 Wh.
    #[inline(always)]
    pub fn write(&self, slot: &mut HotSlot, export_rise: u64, import_rise: u64, extra: u16, used: u64) -> u64 {
        // A total below 2^63 and a rise below 2^63 do not wrap, so the top bit tells.
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

    /// Lets the slot take the rises, if it allows them: the whole rule [chain §7.3]. Up to cap × windows passed is plain; up to one
    /// window's cap more is extra, and not twice in a row.
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
