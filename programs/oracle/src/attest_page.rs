//! attest_page: the zone's attestors raise the totals of many slots at once. It carries the low bits of absolute totals: a
//! replay moves nothing, and the next step heals a lost one [chain §7.4]. It skips totals that a slot does not allow; malformed
//! data aborts.

use gtx_common::{
    GtxError, Window,
    args::Args,
    attestors,
    checks::same_key,
    events::PageAttested,
    layout::{
        oracle::{ACTIVE, CLOSED, DISPUTED, MOVED, MeterPage},
        registry::{MAX_ATTESTORS, Zone},
    },
    time,
};
use pinocchio::{
    AccountView, Address, ProgramResult,
    account::{Ref, RefMut},
    error::ProgramError,
};

use crate::{
    ATTEST_PAGE, history,
    rule::Rule,
    totals::{self, BITMAP_BYTES},
};

gtx_common::accounts! {
    /// The accounts of attest_page.
    struct Accounts<'a> {
        /// The page.
        meter_page: RefMut<'a, MeterPage>,
        /// Its zone, which names the attestors.
        zone: Ref<'a, Zone>,
        ..,
        /// Attestors of the zone that have signed. The zone states how many must sign, so their number is not fixed.
        signers: MAX_ATTESTORS,
    }
}

impl<'a> Accounts<'a> {
    /// ZoneMismatch for a page of another zone.
    #[inline(always)]
    pub fn load(_program: &Address, accounts: &'a mut [AccountView]) -> Result<Self, ProgramError> {
        let accounts = Self::prove(accounts)?;
        if accounts.meter_page.zone != accounts.zone.zone {
            return Err(GtxError::ZoneMismatch.into());
        }
        Ok(accounts)
    }
}

struct Attestation<'a> {
    version: u64,
    moves: u32,
    window: Window,
    root: &'a [u8; 32],
    bitmap: &'a [u8; BITMAP_BYTES],
    totals: &'a [u8],
}

impl<'a> Attestation<'a> {
    fn parse(data: &'a [u8]) -> Result<Self, ProgramError> {
        let mut args = Args(data);
        let (version, moves, window, root, bitmap) =
            (args.u64()?, args.u32()?, args.window()?, args.bytes()?, args.bytes()?);
        let length = args.u32()?;
        if usize::try_from(length) != Ok(args.0.len()) || same_key(bitmap, &[0; 32]) {
            return Err(GtxError::MalformedInstruction.into());
        }
        Ok(Self { version, moves, window, root, bitmap, totals: args.0 })
    }
}

#[inline(always)]
pub fn process(_program: &Address, accounts: Accounts, data: &[u8]) -> ProgramResult {
    let attestation = Attestation::parse(data)?;
    let Accounts { meter_page: mut page, zone, signers } = accounts;
    let page = &mut *page;
    if page.version != attestation.version {
        return Err(GtxError::StaleVersion.into());
    }
    if !time::is_over(attestation.window, time::now()?) {
        return Err(GtxError::WindowInFuture.into());
    }
    let attestors = attestors::quorum(&zone, signers)?;

    // Built on an older read: slots that moved since then stay for the next attestation.
    let moved = if page.moves == attestation.moves { 0 } else { MOVED };
    let [epoch, ..] = zone.epoch.to_le_bytes();
    let rule = Rule {
        window: u64::from(attestation.window.get()),
        relevant: u32::from(ACTIVE | DISPUTED | CLOSED | moved),
        tail: u32::from_le_bytes([0, 0, attestors, epoch]),
    };
    let skipped = totals::apply(&mut page.slots, &rule, attestation.bitmap, attestation.totals)
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
