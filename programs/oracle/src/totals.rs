//! The totals of attest_page: LEB128 groups with the low bits of each new total, export and import of every slot in the bitmap.

use gtx_common::layout::oracle::{MeterSlot, SLOTS};

use crate::rule::{HotSlot, LONG, MALFORMED, Rule, SKIPPED, within_caps};

pub const BITMAP_BYTES: usize = SLOTS / 8;
/// Bounds a LEB128 number, in bits: 9 groups of 7.
const MAX_BITS: u32 = 63;

/// Returns the smallest rise of `current` that gives it `bits` low bits equal to `value`'s [chain §7.2].
#[inline(always)]
fn rise(value: u64, current: u64, bits: u32) -> u64 {
    value.wrapping_sub(current) & (1u64 << bits).wrapping_sub(1)
}

/// Reads one number of any length and returns its rise over `current`. None when it is truncated or longer than 9 groups.
#[inline(never)]
fn take(totals: &mut &[u8], current: u64) -> Option<u64> {
    let (mut value, mut bits) = (0u64, 0u32);
    loop {
        let (group, rest) = totals.split_first()?;
        *totals = rest;
        if bits >= MAX_BITS {
            return None;
        }
        value |= u64::from(group & 0x7f) << bits;
        bits = bits.wrapping_add(7);
        if *group < 0x80 {
            return Some(rise(value, current, bits));
        }
    }
}

/// Returns the next four bytes as a number, with zeros for missing bytes.
#[inline(always)]
fn peek(totals: &[u8]) -> u64 {
    match totals.first_chunk::<4>() {
        Some(head) => u64::from(u32::from_le_bytes(*head)),
        None => peek_end(totals),
    }
}

#[cold]
#[inline(never)]
fn peek_end(totals: &[u8]) -> u64 {
    totals.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

impl Rule {
    /// Attests one slot whose numbers begin `word`, if each has one or two groups, as nearly all have. Returns LONG for longer
    /// numbers; `attest_long` handles every length. Rises within one window's caps, as nearly all are, need no more of the
    /// rule. Not inlined, so that its values fit the machine's registers.
    #[inline(never)]
    fn attest(&self, slot: &mut HotSlot, word: u64) -> u64 {
        let one = |word: u64, current: u64| rise(word, current, 7);
        let two = |word: u64, current: u64| rise((word & 0x7f) | (word >> 1 & 0x3f80), current, 14);
        let (export_rise, import_rise, used) = match word & 0x80_8080 {
            0x00_0080 => (two(word, slot.export_wh), one(word >> 16, slot.import_wh), 3),
            0x00_8000 => (one(word, slot.export_wh), two(word >> 8, slot.import_wh), 3),
            0x00_0000 | 0x80_0000 => (one(word, slot.export_wh), one(word >> 8, slot.import_wh), 2),
            0x80_0080 if word < 0x8000_0000 => (two(word, slot.export_wh), two(word >> 16, slot.import_wh), 4),
            _ => return LONG,
        };
        if self.admits(slot) && within_caps(slot, 1, export_rise, import_rise) {
            return self.write(slot, export_rise, import_rise, 0, used);
        }
        self.apply(slot, export_rise, import_rise, used)
    }

    #[cold]
    #[inline(never)]
    fn attest_long(&self, slot: &mut HotSlot, totals: &[u8]) -> u64 {
        let mut rest = totals;
        match (take(&mut rest, slot.export_wh), take(&mut rest, slot.import_wh)) {
            (Some(export_rise), Some(import_rise)) => {
                let used = totals.len().wrapping_sub(rest.len()) as u64; // at most 18
                self.apply(slot, export_rise, import_rise, used)
            }
            _ => MALFORMED,
        }
    }

    /// Settles an outcome that `attest` left open. Returns the bytes used, and true for a skipped slot. None for malformed
    /// totals.
    #[cold]
    #[inline(never)]
    fn settle(&self, outcome: u64, slot: &mut HotSlot, totals: &[u8]) -> Option<(usize, bool)> {
        let outcome = if outcome == LONG { self.attest_long(slot, totals) } else { outcome };
        (outcome != MALFORMED).then_some(((outcome & !SKIPPED) as usize, outcome & SKIPPED != 0))
    }

    /// Attests the slots `set` of eight slots (ALL: every slot). Returns the bitmap of the skipped slots.
    #[inline(never)]
    fn group<const ALL: bool>(&self, slots: &mut [HotSlot; 8], set: u8, totals: &mut &[u8]) -> Option<u8> {
        let mut rest = *totals;
        let mut skipped = 0;
        // Unrolled, so that places and masks are constants and the rest of the totals stays in registers.
        macro_rules! step {
            ($($slot:ident $mask:literal)*) => {$(
                if ALL || set & $mask != 0 {
                    let outcome = self.attest($slot, peek(rest));
                    if outcome < SKIPPED {
                        rest = rest.get(outcome as usize..)?;
                    } else {
                        let (used, skip) = self.settle(outcome, $slot, rest)?;
                        rest = rest.get(used..)?;
                        skipped |= if skip { $mask } else { 0 };
                    }
                }
            )*};
        }
        let [a, b, c, d, e, f, g, h] = slots;
        step!(a 1 b 2 c 4 d 8 e 16 f 32 g 64 h 128);
        *totals = rest;
        Some(skipped)
    }
}

/// Attests the set slots and returns the bitmap of the skipped. None when the totals are malformed, longer than the slots need,
/// or out of range.
#[inline(always)]
pub fn apply(
    slots: &mut [MeterSlot; SLOTS],
    rule: &Rule,
    bitmap: &[u8; BITMAP_BYTES],
    mut totals: &[u8],
) -> Option<[u8; BITMAP_BYTES]> {
    let slots: &mut [HotSlot; SLOTS] = bytemuck::cast_mut(slots);
    let mut skipped = [0; BITMAP_BYTES];
    for ((group, set), skipped) in slots.as_chunks_mut::<8>().0.iter_mut().zip(bitmap).zip(&mut skipped) {
        match *set {
            0 => {}
            0xff => *skipped = rule.group::<true>(group, 0xff, &mut totals)?,
            some => *skipped = rule.group::<false>(group, some, &mut totals)?,
        }
    }
    totals.is_empty().then_some(skipped)
}
