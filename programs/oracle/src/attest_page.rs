//! attest_page: the zone's attestors raise the totals of many slots at once. Absolute totals, sent by their low bits: a replay
//! moves nothing and a lost step heals at the next one. What a slot does not allow is skipped; malformed data aborts.

use gtx_common::{
    GtxError,
    args::Args,
    checks::{self, same_key},
    discriminator,
    events::Event,
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
const MOST_WINDOWS: u32 = 2_880;
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

/// The rise from `current` to the smallest total ≥ it that has the next number's bits as its low bits.
#[inline(always)]
fn rise(totals: &mut &[u8], current: u64) -> Result<u64, ProgramError> {
    let (first, rest) = totals.split_first().ok_or(ProgramError::from(GtxError::MalformedInstruction))?;
    *totals = rest;
    if *first < 0x80 {
        return Ok(u64::from(*first).wrapping_sub(current) & 0x7f);
    }
    let mut value = u64::from(*first & 0x7f);
    let mut bits = 7u32;
    loop {
        let (next, rest) = totals.split_first().ok_or(ProgramError::from(GtxError::MalformedInstruction))?;
        *totals = rest;
        if bits >= MOST_BITS {
            return Err(GtxError::MalformedInstruction.into());
        }
        value |= u64::from(*next & 0x7f) << bits;
        bits = bits.wrapping_add(7);
        if *next < 0x80 {
            return Ok(value.wrapping_sub(current) & (1u64 << bits).wrapping_sub(1));
        }
    }
}

/// What all slots of one attestation share.
struct Rule {
    window: u32,
    /// Flags that a slot must have out of (ACTIVE and what excludes it).
    relevant: u16,
    attestors: u8,
    epoch: u8,
}

impl Rule {
    /// Whether the slot takes the rises; if not, it stays as it was.
    #[inline(always)]
    fn apply(&self, slot: &mut MeterSlot, export_rise: u64, import_rise: u64) -> Result<bool, ProgramError> {
        let flags = slot.flags;
        if flags & self.relevant != ACTIVE || self.window <= slot.window {
            return Ok(false);
        }
        let passed = u64::from(self.window.wrapping_sub(slot.window).min(MOST_WINDOWS));
        let (export_cap, import_cap) = (u64::from(slot.export_cap), u64::from(slot.import_cap));
        // u32 times at most 2,880 stays far inside u64.
        let (export_even, import_even) = (export_cap.wrapping_mul(passed), import_cap.wrapping_mul(passed));
        let mut extra = 0;
        if export_rise > export_even || import_rise > import_even {
            if flags & EXTRA != 0
                || export_rise > export_even.wrapping_add(export_cap)
                || import_rise > import_even.wrapping_add(import_cap)
            {
                return Ok(false);
            }
            extra = EXTRA;
        }
        let overflow = || ProgramError::from(GtxError::ArithmeticOverflow);
        slot.export_wh = slot.export_wh.checked_add(export_rise).ok_or_else(overflow)?;
        slot.import_wh = slot.import_wh.checked_add(import_rise).ok_or_else(overflow)?;
        slot.window = self.window;
        slot.flags = flags & !(EXTRA | MOVED) | extra;
        slot.attestors = self.attestors;
        slot.epoch = self.epoch;
        Ok(true)
    }
}

/// Goes through the set slots; returns how many took their rise and the bitmap of those that did not.
#[inline(always)]
fn apply(slots: &mut [MeterSlot; SLOTS], rule: &Rule, bitmap: &[u8; BITMAP_BYTES], mut totals: &[u8]) -> Result<(u16, [u8; BITMAP_BYTES]), ProgramError> {
    let mut accepted = 0u16;
    let mut skipped = [0; BITMAP_BYTES];
    for ((group, set), skipped) in slots.chunks_exact_mut(8).zip(bitmap).zip(&mut skipped) {
        if *set == 0 {
            continue;
        }
        for (bit, slot) in group.iter_mut().enumerate() {
            let mask = 1u8 << bit;
            if set & mask == 0 {
                continue;
            }
            let export_rise = rise(&mut totals, slot.export_wh)?;
            let import_rise = rise(&mut totals, slot.import_wh)?;
            if rule.apply(slot, export_rise, import_rise)? {
                accepted = accepted.wrapping_add(1);
            } else {
                *skipped |= mask;
            }
        }
    }
    if totals.is_empty() { Ok((accepted, skipped)) } else { Err(GtxError::MalformedInstruction.into()) }
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
    let rule = Rule { window: attestation.window, relevant: ACTIVE | DISPUTED | CLOSED | moved, attestors, epoch };
    let (accepted, skipped) = apply(&mut page.slots, &rule, attestation.bitmap, attestation.totals)?;

    page.version = page.version.checked_add(1).ok_or(ProgramError::from(GtxError::ArithmeticOverflow))?;
    if accepted > 0 {
        page.highest_window = page.highest_window.max(attestation.window);
    }
    page.last_root = *attestation.root;
    history::fold(page, ATTEST_PAGE, attestors, data, &[]);
    Event::<125>::new(discriminator("event:", "PageAttested"))
        .u16(page.zone)
        .u32(page.page)
        .u64(page.version)
        .u32(attestation.window)
        .u8(attestors)
        .u16(accepted)
        .raw(&skipped)
        .raw(attestation.root)
        .raw(&page.history)
        .emit();
    Ok(())
}
