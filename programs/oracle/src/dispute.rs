//! dispute: a device's own statement contradicts its slot (later window, lower total). Either the device or the attestors lied.
//! The slot is frozen until somebody answers or a day has passed. A slot that a submitted statement moved names no attestors:
//! there the device has contradicted itself [chain §7.7]. Nobody can contradict a slot that nobody signed.

use gtx_common::{
    GtxError, Window,
    accounts::{InstructionsSysvar, Payer, SystemProgram, Writable},
    args::Args,
    checks::{self, Account},
    events::{DisputeDecided, DisputeOpened},
    ids,
    layout::{
        oracle::{ACTIVE, CLOSED, DEVICE_CONVICTED, DISPUTED, Dispute, MeterPage, MeterSlot, OPEN, SUSPENDED},
        registry::{Config, Meter},
    },
    pda,
    statement::{self, Signed},
    time,
};
use pinocchio::{
    AccountView, Address, ProgramResult,
    account::{Ref, RefMut},
    error::ProgramError,
};

use crate::{DISPUTE, answer::check_case, history, place};

gtx_common::accounts! {
    /// The accounts of dispute.
    struct Accounts<'a> {
        payer: Payer<'a>,
        /// The page of the meter's slot.
        meter_page: RefMut<'a, MeterPage>,
        /// The meter, as the registry has it.
        meter: Ref<'a, Meter>,
        /// The slot's case, which is created for its first dispute.
        dispute: Writable<'a>,
        /// The Config of the registry.
        config: Ref<'a, Config>,
        instructions: InstructionsSysvar<'a>,
        system_program: SystemProgram<'a>,
    }
}

impl<'a> Accounts<'a> {
    /// MeterHasNoSlot, ZoneMismatch, AccountKeyMismatch for a page that has not the meter's slot.
    #[inline(always)]
    pub fn load(_program: &Address, accounts: &'a mut [AccountView]) -> Result<Self, ProgramError> {
        let accounts = Self::prove(accounts)?;
        place::check(&accounts.meter_page, &accounts.meter)?;
        Ok(accounts)
    }
}

/// Returns the seed of a slot's case: zone, page and slot.
pub fn seed(zone: u16, page: u32, slot: u16) -> [u8; 8] {
    let ([a, b], [c, d, e, f], [g, h]) = (zone.to_le_bytes(), page.to_le_bytes(), slot.to_le_bytes());
    [a, b, c, d, e, f, g, h]
}

/// Checks that the slot can be disputed: it lives, and its totals were written under the registry's present record.
fn check_state(slot: &MeterSlot, meter: &Meter) -> ProgramResult {
    if slot.flags & CLOSED != 0 {
        return Err(GtxError::SlotClosed.into());
    }
    if slot.flags & DISPUTED != 0 {
        return Err(GtxError::SlotDisputed.into());
    }
    // A record that was suspended, reactivated or replaced since has another baseline than the slot's signers saw: sync_slot
    // first.
    if slot.flags & (ACTIVE | SUSPENDED) != place::status_flag(meter.status)? {
        return Err(GtxError::MeterNotActive.into());
    }
    Ok(())
}

/// Checks that the statement is later than the signed totals and, in either register, lower.
fn check_contradiction(signed: &Signed, slot: &MeterSlot, meter: &Meter, now: u64) -> ProgramResult {
    if !time::is_over(signed.window, now) {
        return Err(GtxError::WindowInFuture.into());
    }
    let lower = signed.totals(meter).is_none_or(|(export, import)| export < slot.export_wh || import < slot.import_wh);
    if signed.window <= slot.window || !lower || !slot.is_signed_for(meter) {
        return Err(GtxError::NoContradiction.into());
    }
    Ok(())
}

/// Returns the case's account and its number so far. Creates the account for a slot without one.
fn open_account(
    dispute: &mut AccountView,
    payer: Payer,
    program_id: &Address,
    meter: &Meter,
) -> Result<(u32, u8), ProgramError> {
    if dispute.owned_by(&ids::SYSTEM) {
        let seed = seed(meter.zone, meter.page, meter.slot);
        let bump = pda::create(dispute, payer, program_id, &[b"dispute", &seed], size_of::<Dispute>())?;
        pda::fill_head(dispute, Dispute::DISCRIMINATOR)?;
        return Ok((0, bump));
    }
    let found = checks::load::<Dispute>(dispute)?;
    check_case(&found, meter)?;
    Ok((found.number, found.bump))
}

/// Writes a new case over the slot's earlier one. The chain's past keeps the earlier evidence.
#[inline(never)]
fn record(dispute: &mut AccountView, head: Head, slot: &MeterSlot, meter: &Meter, signed: &Signed) -> ProgramResult {
    let mut case = checks::load_mut::<Dispute>(dispute)?;
    case.slot_export_wh = slot.export_wh;
    case.slot_import_wh = slot.import_wh;
    case.number = head.number;
    case.opened_window = head.window;
    case.slot_window = slot.window;
    case.page = meter.page;
    case.zone = meter.zone;
    case.slot = meter.slot;
    case.attestors = slot.attestors;
    case.epoch = slot.epoch;
    case.verdict = head.verdict;
    case.bump = head.bump;
    case.meter_id = meter.meter_id;
    case.opener = head.opener;
    case.key = signed.key;
    case.payload = signed.payload;
    case.answer = [0; 96];
    Ok(())
}

struct Head {
    number: u32,
    window: Window,
    verdict: u8,
    bump: u8,
    opener: [u8; 32],
}

#[inline(always)]
pub fn process(program_id: &Address, accounts: Accounts, data: &[u8]) -> ProgramResult {
    Args(data).end()?;
    let Accounts { payer, meter_page: mut page, meter, mut dispute, config, instructions, .. } = accounts;
    let (now, before) = (time::now()?, *place::slot_of(&mut page, &meter)?);
    check_state(&before, &meter)?;
    let signed = statement::signed(instructions, &config, &meter)?;
    signed.is_evidence(&meter)?;
    signed.speaks_for(&meter, before.window)?;
    check_contradiction(&signed, &before, &meter, now)?;

    let (number, bump) = open_account(&mut dispute, payer, program_id, &meter)?;
    let number = number.checked_add(1).ok_or(ProgramError::from(GtxError::ArithmeticOverflow))?;
    let verdict = if before.attestors == 0 { DEVICE_CONVICTED } else { OPEN };
    let head = Head { number, window: time::window_at(now), verdict, bump, opener: *payer.address().as_array() };
    record(&mut dispute, head, &before, &meter, &signed)?;

    place::slot_of(&mut page, &meter)?.flags |= DISPUTED;
    history::fold(&mut page, DISPUTE, 0, data, &signed.payload);
    let (zone, number_of_page) = (page.zone, page.page);
    DisputeOpened::emit(meter.meter_id, zone, number_of_page, meter.slot, number, before.attestors, before.epoch);
    if verdict != OPEN {
        DisputeDecided::emit(meter.meter_id, zone, number_of_page, meter.slot, number, verdict);
    }
    Ok(())
}
