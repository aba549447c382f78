//! attest_page: the zone's attestors raise the totals of many slots at once. Absolute totals, sent by their low bits: a replay
//! moves nothing and a lost step heals at the next one [chain §7.4]. What a slot does not allow is skipped; malformed data aborts.

use bytemuck::{Pod, Zeroable};
use gtx_common::{
    GtxError,
    args::Args,
    attestors,
    checks::{self, same_key},
    events::PageAttested,
    layout::{
        oracle::{ACTIVE, CLOSED, DISPUTED, EXTRA, MOVED, MeterPage, MeterSlot, SLOTS, SUBMITTED},
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
        let (version, moves, window, root, bitmap) =
            (args.u64()?, args.u32()?, args.u32()?, args.bytes()?, args.bytes()?);
        let length = args.u32()?;
        if usize::try_from(length) != Ok(args.0.len()) || same_key(bitmap, &[0; 32]) {
            return Err(GtxError::MalformedInstruction.into());
        }
        Ok(Self { version, moves, window, root, bitmap, totals: args.0 })
    }
}

/// The smallest rise of `current` that gives it `bits` low bits equal to `value`'s [chain §7.2].
#[inline(always)]
fn rise(value: u64, current: u64, bits: u32) -> u64 {
    value.wrapping_sub(current) & (1u64 << bits).wrapping_sub(1)
}

/// Takes one number of any length: its rise over `current`. None when it is cut off or longer than 9 groups.
#[inline(never)]
fn take(totals: &mut &[u8], current: u64) -> Option<u64> {
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

/// The next four bytes as a number, zeros where there are fewer.
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

/// A `MeterSlot` with its last three fields as one number, so that they are read and written at once.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub(crate) struct HotSlot {
    export_wh: u64,
    import_wh: u64,
    window: u32,
    export_cap: u32,
    import_cap: u32,
    /// Flags in bits 0 to 15, attestors in 16 to 23, epoch in 24 to 31.
    tail: u32,
}
const _: () = assert!(size_of::<HotSlot>() == size_of::<MeterSlot>());

/// What all slots of one attestation share.
pub(crate) struct Rule {
    pub(crate) window: u64,
    /// ACTIVE and the flags that exclude a slot: of these it must have ACTIVE only.
    pub(crate) relevant: u32,
    /// Attestors and epoch, in their place of `HotSlot::tail`.
    pub(crate) tail: u32,
}

/// Whether both rises are at most cap × windows. A cap of 32 bits times at most 2,881 stays far inside 64.
#[inline(always)]
fn within_caps(slot: &HotSlot, windows: u64, export_rise: u64, import_rise: u64) -> bool {
    export_rise <= u64::from(slot.export_cap).wrapping_mul(windows)
        && import_rise <= u64::from(slot.import_cap).wrapping_mul(windows)
}

/// What became of an attested slot: its bytes of totals (at most 18), with SKIPPED added when the slot stayed as it was; or one of
/// the other two.
const SKIPPED: u64 = 32;
const LONG: u64 = 64;
const MALFORMED: u64 = 128;

impl Rule {
    /// Whether the slot can take anything of this window.
    #[inline(always)]
    fn admits(&self, slot: &HotSlot) -> bool {
        slot.tail & self.relevant == u32::from(ACTIVE) && self.window > u64::from(slot.window)
    }

    /// Writes the slot: `used`, or MALFORMED when a total would reach 2^63 Wh.
    #[inline(always)]
    fn write(&self, slot: &mut HotSlot, export_rise: u64, import_rise: u64, extra: u16, used: u64) -> u64 {
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
    pub(crate) fn apply(&self, slot: &mut HotSlot, export_rise: u64, import_rise: u64, used: u64) -> u64 {
        if !self.admits(slot) {
            return used | SKIPPED;
        }
        let passed = self.window.wrapping_sub(u64::from(slot.window)).min(MOST_WINDOWS);
        let extra = if within_caps(slot, passed, export_rise, import_rise) { 0 } else { EXTRA };
        if extra != 0
            && (slot.tail & u32::from(EXTRA) != 0
                || !within_caps(slot, passed.wrapping_add(1), export_rise, import_rise))
        {
            return used | SKIPPED;
        }
        self.write(slot, export_rise, import_rise, extra, used)
    }

    /// One attested slot whose numbers begin `word`, when they have one or two groups each, as nearly all have; else LONG, and
    /// `attest_long` says the same of every number. Rises within one window's caps, as nearly all are, need no more of the rule.
    /// Not inlined: so its values fit the machine's registers.
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

    /// What `attest` did not settle: the bytes used, and whether the slot was skipped. None when the totals are malformed.
    #[cold]
    #[inline(never)]
    fn settle(&self, outcome: u64, slot: &mut HotSlot, totals: &[u8]) -> Option<(usize, bool)> {
        let outcome = if outcome == LONG { self.attest_long(slot, totals) } else { outcome };
        (outcome != MALFORMED).then_some(((outcome & !SKIPPED) as usize, outcome & SKIPPED != 0))
    }

    /// Eight slots, of which `set` are attested (ALL: every one): the bitmap of the skipped.
    #[inline(never)]
    fn group<const ALL: bool>(&self, slots: &mut [HotSlot; 8], set: u8, totals: &mut &[u8]) -> Option<u8> {
        let mut rest = *totals;
        let mut skipped = 0;
        // Written out, so that places and masks are constants and the rest of the totals stays in registers.
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

/// Goes through the set slots; returns the bitmap of those that did not take their rise. None when the totals are malformed, are not
/// used up, or leave their range.
#[inline(always)]
fn apply(
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
    let attestors = attestors::quorum(&zone, signers)?;

    // Built on an older read: what moved since is left for the next one.
    let moved = if page.moves == attestation.moves { 0 } else { MOVED };
    let [epoch, ..] = zone.epoch.to_le_bytes();
    let rule = Rule {
        window: u64::from(attestation.window),
        relevant: u32::from(ACTIVE | DISPUTED | CLOSED | moved),
        tail: u32::from_le_bytes([0, 0, attestors, epoch]),
    };
    let skipped = apply(&mut page.slots, &rule, attestation.bitmap, attestation.totals)
        .ok_or(ProgramError::from(GtxError::MalformedInstruction))?;

    page.version = page.version.checked_add(1).ok_or(ProgramError::from(GtxError::ArithmeticOverflow))?;
    if !same_key(&skipped, attestation.bitmap) {
        page.highest_window = page.highest_window.max(attestation.window);
    }
    page.last_root = *attestation.root;
    history::fold(page, ATTEST_PAGE, attestors, data, &[]);
    PageAttested::emit(
        page.zone,
        page.page,
        page.version,
        attestation.window,
        attestors,
        skipped,
        *attestation.root,
        page.history,
    );
    Ok(())
}
