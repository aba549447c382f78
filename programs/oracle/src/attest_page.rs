//! attest_page: the zone's attestors raise the totals of many slots at once. Absolute totals, sent by their low bits: a replay
//! moves nothing and a lost step heals at the next one. What a slot does not allow is skipped; malformed data aborts.

use gtx_common::{
    GtxError,
    args::Args,
    checks::{self, same_key},
    events::PageAttested,
    layout::{
        oracle::{ACTIVE, CLOSED, DISPUTED, EXTRA, MOVED, MeterPage, MeterSlot, SLOTS},
        registry::Zone,
    },
    time,
};
use pinocchio::{AccountView, ProgramResult, error::ProgramError};

use crate::{ATTEST_PAGE, history};

const BITMAP_BYTES: usize = SLOTS / 8;
/// Windows passed count at most 30 days.
const MOST_WINDOWS: u64 = 2_880;
/// Groups of a LEB128 number; 9 · 7 = 63 bits.
const MOST_BITS: u32 = 63;

struct Attestation<'a> {
    version: u64,
    moves: u32,
    window: u32,
    root: &'a [u8; 32],
    bitmap: &'a [u8; BITMAP_BYTES],
    totals: &'a [u8],
}

impl<'a> Attestation<'a> {
    fn parse(data: &'a [u8]) -> Result<Self, ProgramError> {
        let mut args = Args(data);
        let (version, moves, window, root, bitmap) = (args.u64()?, args.u32()?, args.u32()?, args.bytes()?, args.bytes()?);
        let length = args.u32()?;
        if usize::try_from(length) != Ok(args.0.len()) || same_key(bitmap, &[0; 32]) {
            return Err(GtxError::MalformedInstruction.into());
        }
        Ok(Self { version, moves, window, root, bitmap, totals: args.0 })
    }
}

/// Bitmap of the zone's attestors among `signers`, each counted once; at least the zone's threshold.
fn count(zone: &Zone, signers: &[AccountView]) -> Result<u8, ProgramError> {
    let set = zone.attestors.get(..usize::from(zone.attestor_count)).unwrap_or(&[]);
    let mut bitmap = 0u8;
    for signer in signers {
        checks::signer(signer)?;
        let place = set.iter().position(|key| same_key(key, signer.address().as_array()));
        bitmap |= 1u8 << (place.ok_or(ProgramError::from(GtxError::UnknownAttestor))? & 7);
    }
    if zone.threshold == 0 || bitmap.count_ones() < u32::from(zone.threshold) {
        return Err(GtxError::ThresholdNotMet.into());
    }
    Ok(bitmap)
}

/// The smallest rise of `current` that gives it `bits` low bits equal to `value`'s.
#[inline(always)]
fn rise(value: u64, current: u64, bits: u32) -> u64 {
    value.wrapping_sub(current) & (1u64 << bits).wrapping_sub(1)
}

/// Takes one number of any length: its rise over `current`. None when it is cut off or longer than 9 groups.
#[inline(never)]
fn take_long(totals: &mut &[u8], current: u64) -> Option<u64> {
    let (mut value, mut bits) = (0u64, 0u32);
    loop {
        let (group, rest) = totals.split_first()?;
        *totals = rest;
        if bits >= MOST_BITS {
            return None;
        }
        value |= u64::from(group & 0x7f) << bits;
        bits = bits.wrapping_add(7);
        if *group < 0x80 {
            return Some(rise(value, current, bits));
        }
    }
}

/// Takes a slot's two numbers: their rises. None when one is malformed. Nearly all of them have one or two groups, so that four
/// bytes in one load hold both; two calls of `take_long` say the same of every number.
#[inline(always)]
fn take_pair(totals: &mut &[u8], slot: &MeterSlot) -> Option<(u64, u64)> {
    if let Some(head) = totals.first_chunk::<4>() {
        let word = u64::from(u32::from_le_bytes(*head));
        let one = |word: u64, current: u64| rise(word, current, 7);
        let two = |word: u64, current: u64| rise((word & 0x7f) | (word >> 1 & 0x3f80), current, 14);
        let (first, second, used) = match (word & 0x80 == 0, word & 0x8000 == 0, word & 0x80_0000 == 0, word & 0x8000_0000 == 0) {
            (true, true, _, _) => (one(word, slot.export_wh), one(word >> 8, slot.import_wh), 2),
            (true, false, true, _) => (one(word, slot.export_wh), two(word >> 8, slot.import_wh), 3),
            (false, true, true, _) => (two(word, slot.export_wh), one(word >> 16, slot.import_wh), 3),
            (false, true, false, true) => (two(word, slot.export_wh), two(word >> 16, slot.import_wh), 4),
            _ => return take_slow(totals, slot),
        };
        *totals = totals.get(used..)?;
        return Some((first, second));
    }
    take_slow(totals, slot)
}

#[cold]
#[inline(never)]
fn take_slow(totals: &mut &[u8], slot: &MeterSlot) -> Option<(u64, u64)> {
    Some((take_long(totals, slot.export_wh)?, take_long(totals, slot.import_wh)?))
}

/// What all slots of one attestation share.
struct Rule {
    window: u64,
    /// Flags that a slot must have out of (ACTIVE and what excludes it).
    relevant: u16,
    attestors: u8,
    epoch: u8,
}

/// A group's outcome when its totals are malformed or leave their range; otherwise the outcome is the bitmap of the skipped.
const MALFORMED: u32 = 256;

impl Rule {
    /// Whether the slot takes the rises; if not, it stays as it was. None when a total would reach 2^63 Wh.
    #[inline(always)]
    fn apply(&self, slot: &mut MeterSlot, export_rise: u64, import_rise: u64) -> Option<bool> {
        let (flags, window) = (slot.flags, u64::from(slot.window));
        if flags & self.relevant != ACTIVE || self.window <= window {
            return Some(false);
        }
        let passed = self.window.wrapping_sub(window).min(MOST_WINDOWS);
        let (export_cap, import_cap) = (u64::from(slot.export_cap), u64::from(slot.import_cap));
        // u32 times at most 2,880 stays far inside u64.
        let (export_even, import_even) = (export_cap.wrapping_mul(passed), import_cap.wrapping_mul(passed));
        let mut extra = 0;
        if export_rise > export_even || import_rise > import_even {
            if flags & EXTRA != 0
                || export_rise > export_even.wrapping_add(export_cap)
                || import_rise > import_even.wrapping_add(import_cap)
            {
                return Some(false);
            }
            extra = EXTRA;
        }
        // A total below 2^63 and a rise below 2^63 do not wrap, so the top bit tells.
        let (export_wh, import_wh) = (slot.export_wh.wrapping_add(export_rise), slot.import_wh.wrapping_add(import_rise));
        if (export_wh | import_wh) >> 63 != 0 {
            return None;
        }
        slot.export_wh = export_wh;
        slot.import_wh = import_wh;
        slot.window = self.window as u32;
        slot.flags = flags & !(EXTRA | MOVED) | extra;
        slot.attestors = self.attestors;
        slot.epoch = self.epoch;
        Some(true)
    }

    /// Eight slots, of which `set` are attested. Not inlined: its few live values fit the machine's registers.
    #[inline(never)]
    fn group(&self, slots: &mut [MeterSlot; 8], set: u8, totals: &mut &[u8]) -> u32 {
        let mut rest = *totals;
        let (mut left, mut mask, mut skipped) = (u32::from(set), 1u32, 0u32);
        for slot in slots {
            if left & 1 != 0 {
                let Some((export_rise, import_rise)) = take_pair(&mut rest, slot) else {
                    return MALFORMED;
                };
                match self.apply(slot, export_rise, import_rise) {
                    Some(true) => {}
                    Some(false) => skipped |= mask,
                    None => return MALFORMED,
                }
            }
            left >>= 1;
            mask <<= 1;
        }
        *totals = rest;
        skipped
    }
}

/// Goes through the set slots; returns the bitmap of those that did not take their rise. None when the totals are malformed, are not
/// used up, or leave their range.
fn apply(slots: &mut [MeterSlot; SLOTS], rule: &Rule, bitmap: &[u8; BITMAP_BYTES], mut totals: &[u8]) -> Option<[u8; BITMAP_BYTES]> {
    let mut skipped = [0; BITMAP_BYTES];
    for ((group, set), skipped) in slots.as_chunks_mut::<8>().0.iter_mut().zip(bitmap).zip(&mut skipped) {
        if *set != 0 {
            *skipped = u8::try_from(rule.group(group, *set, &mut totals)).ok()?;
        }
    }
    totals.is_empty().then_some(skipped)
}

/// Slots in a bitmap.
fn population(bitmap: &[u8; BITMAP_BYTES]) -> u16 {
    let words: &[[u8; 8]; 4] = bytemuck::cast_ref(bitmap);
    words.iter().fold(0, |sum, word| sum.wrapping_add(u64::from_le_bytes(*word).count_ones() as u16))
}

pub fn process(accounts: &mut [AccountView], data: &[u8]) -> ProgramResult {
    let attestation = Attestation::parse(data)?;
    let [page, zone, signers @ ..] = accounts else {
        return Err(GtxError::MissingAccount.into());
    };
    let zone = checks::load::<Zone>(zone)?;
    let mut page = checks::load_mut::<MeterPage>(page)?;
    let page = &mut *page;
    if page.zone != zone.zone {
        return Err(GtxError::ZoneMismatch.into());
    }
    if page.version != attestation.version {
        return Err(GtxError::StaleVersion.into());
    }
    if !time::is_over(attestation.window, time::now()?) {
        return Err(GtxError::WindowInFuture.into());
    }
    let attestors = count(&zone, signers)?;

    // Built on an older read: what moved since is left for the next one.
    let moved = if page.moves == attestation.moves { 0 } else { MOVED };
    let [epoch, ..] = zone.epoch.to_le_bytes();
    let rule = Rule { window: u64::from(attestation.window), relevant: ACTIVE | DISPUTED | CLOSED | moved, attestors, epoch };
    let skipped = apply(&mut page.slots, &rule, attestation.bitmap, attestation.totals)
        .ok_or(ProgramError::from(GtxError::MalformedInstruction))?;
    let accepted = population(attestation.bitmap).wrapping_sub(population(&skipped));

    page.version = page.version.checked_add(1).ok_or(ProgramError::from(GtxError::ArithmeticOverflow))?;
    if accepted > 0 {
        page.highest_window = page.highest_window.max(attestation.window);
    }
    page.last_root = *attestation.root;
    history::fold(page, ATTEST_PAGE, attestors, data, &[]);
    PageAttested::emit(page.zone, page.page, page.version, attestation.window, attestors, accepted, skipped, *attestation.root, page.history);
    Ok(())
}
