//! set_status: the utility suspends, closes or reactivates a meter [chain §7.8]. sync_slot of the oracle program copies the
//! status into the slot. The utility's signature alone moves no total: a reactivation shows a statement by the meter's present
//! key, verified just before. The slot's totals stay, and energy beyond them in the registers moves into the baseline. A
//! dispute ends the same way; for a suspended meter it ends without a statement.

use gtx_common::{
    GtxError, Wh, Window,
    accounts::{InstructionsSysvar, Located, Optional, Signer},
    args::Args,
    checks::same_key,
    events::StatusSet,
    layout::{
        oracle::{ACTIVE, ATTESTORS_CONVICTED, DISPUTED, Dispute, MeterPage, MeterSlot, OPEN, SUSPENDED},
        registry::{Config, Meter, Point, STATUS_ACTIVE, STATUS_CLOSED, STATUS_PENDING, STATUS_SUSPENDED, Zone},
    },
    statement::{self, Signed},
    time,
};
use pinocchio::{
    AccountView, Address, ProgramResult,
    account::{Ref, RefMut},
    error::ProgramError,
};

use crate::{enrolment::ROLE_POINT, freeze, limits::give_capacity_back};

gtx_common::accounts! {
    /// The accounts of set_status.
    struct Accounts<'a> {
        /// Zone.utility.
        utility: Signer<'a>,
        /// The meter's zone.
        zone: RefMut<'a, Zone>,
        /// The meter that gets another status.
        meter: RefMut<'a, Meter>,
        /// Its connection point.
        point: Located<'a, Point>,
        /// The page of its slot; absent for a meter without one.
        meter_page: Optional<'a, MeterPage>,
        /// The slot's case, whose verdict the utility accepts; else absent.
        dispute: Optional<'a, Dispute>,
        config: Ref<'a, Config>,
        instructions: InstructionsSysvar<'a>,
    }
}

impl<'a> Accounts<'a> {
    /// InvalidAuthority, ZoneMismatch, AccountKeyMismatch for another meter's connection point.
    #[inline(always)]
    pub fn load(_program: &Address, accounts: &'a mut [AccountView]) -> Result<Self, ProgramError> {
        let accounts = Self::prove(accounts)?;
        freeze::check_utility(accounts.utility, &accounts.zone, &accounts.meter)?;
        if !same_key(&accounts.point.address, &accounts.meter.point) {
            return Err(GtxError::AccountKeyMismatch.into());
        }
        Ok(accounts)
    }
}

/// The slot's case with its verdict.
struct Case {
    number: u32,
    verdict: u8,
}

/// Returns the case of a disputed slot, which must have its verdict; None without a dispute. DisputeOpen, AccountKeyMismatch.
fn decided(
    dispute: Optional<Dispute>,
    slot: Option<&MeterSlot>,
    meter: &Meter,
    program_id: &Address,
) -> Result<Option<Case>, ProgramError> {
    if slot.is_none_or(|slot| slot.flags & DISPUTED == 0) {
        dispute.check_absent(program_id)?;
        return Ok(None);
    }
    let dispute = dispute.load()?;
    if dispute.zone != meter.zone || dispute.page != meter.page || dispute.slot != meter.slot {
        return Err(GtxError::AccountKeyMismatch.into());
    }
    if dispute.verdict == OPEN {
        return Err(GtxError::DisputeOpen.into());
    }
    Ok(Some(Case { number: dispute.number, verdict: dispute.verdict }))
}

/// Continues one register from the slot's total. Only convicted attestors may have raised the slot above the register. The
/// register must then climb back, because that energy is counted already. TotalsFell.
fn go_on(total: Wh, carried: &mut Wh, baseline: &mut Wh, raw: Wh, attestors_convicted: bool) -> ProgramResult {
    let shown = raw.checked_sub(*baseline).and_then(|rise| carried.checked_add(rise));
    match shown {
        Some(shown) if shown >= total => {
            *carried = total;
            *baseline = raw;
            Ok(())
        }
        _ if attestors_convicted => Ok(()),
        _ => Err(GtxError::TotalsFell.into()),
    }
}

fn reactivate(meter: &mut Meter, slot: &MeterSlot, signed: &Signed, case: Option<&Case>, now: u64) -> ProgramResult {
    signed.by_present_key(meter)?;
    let window = signed.window;
    if window < slot.window {
        return Err(GtxError::BeforeFirstWindow.into());
    }
    if !time::is_over(window, now) {
        return Err(GtxError::WindowInFuture.into());
    }
    let convicted = case.is_some_and(|case| case.verdict == ATTESTORS_CONVICTED);
    let Meter { carried_export_wh, baseline_export_wh, carried_import_wh, baseline_import_wh, .. } = meter;
    go_on(slot.export_wh, carried_export_wh, baseline_export_wh, signed.export_wh, convicted)?;
    go_on(slot.import_wh, carried_import_wh, baseline_import_wh, signed.import_wh, convicted)?;
    meter.baseline_window = window;
    meter.first_valid_window = window.next().ok_or(ProgramError::from(GtxError::ArithmeticOverflow))?;
    Ok(())
}

/// Frees the connection point and returns the zone's capacity.
fn leave(point: &mut Point, zone: &mut Zone, meter: &Meter, slot: Option<&MeterSlot>) -> ProgramResult {
    // A slot that still moves would count energy of a point that has another meter by then.
    if slot.is_some_and(|slot| slot.flags & ACTIVE != 0) {
        return Err(GtxError::SlotNotFrozen.into());
    }
    if meter.role == ROLE_POINT {
        give_capacity_back(zone, meter);
    }
    if point.meter_id == meter.meter_id {
        point.meter_id = [0; 16];
        point.counted_window = point.counted_window.max(slot.map_or(Window::UNSET, |slot| slot.window));
    }
    Ok(())
}

/// The accounts behind the meter and the zone.
struct Evidence<'a> {
    dispute: Optional<'a, Dispute>,
    config: Ref<'a, Config>,
    instructions: InstructionsSysvar<'a>,
}

/// Makes the meter active. It names no totals for a slot that was never active, nor for a meter without a slot.
fn activate(
    meter: &mut Meter,
    slot: Option<&MeterSlot>,
    evidence: &Evidence,
    program_id: &Address,
    now: u64,
) -> ProgramResult {
    let case = decided(evidence.dispute, slot, meter, program_id)?;
    let Some(slot) = slot.filter(|slot| slot.is_assigned()) else {
        return if meter.status == STATUS_SUSPENDED { Ok(()) } else { Err(GtxError::SlotNotFrozen.into()) };
    };
    // A slot that still moves could pass the totals from which it continues.
    if case.is_none() && slot.flags & SUSPENDED == 0 {
        return Err(GtxError::SlotNotFrozen.into());
    }
    let signed = statement::signed(evidence.instructions, &evidence.config, meter)?;
    reactivate(meter, slot, &signed, case.as_ref(), now)?;
    accept(meter, case.as_ref());
    Ok(())
}

fn accept(meter: &mut Meter, case: Option<&Case>) {
    if let Some(case) = case {
        meter.accepted_dispute = meter.accepted_dispute.max(case.number);
    }
}

/// Suspends the meter. With the case of a decided dispute it also accepts the verdict: no totals are named, and nothing moves.
fn suspend(meter: &mut Meter, slot: Option<&MeterSlot>, evidence: &Evidence, program_id: &Address) -> ProgramResult {
    if !evidence.dispute.is_absent(program_id) {
        let case = decided(evidence.dispute, slot, meter, program_id)?;
        accept(meter, case.as_ref());
        return Ok(());
    }
    if meter.status == STATUS_ACTIVE { Ok(()) } else { Err(GtxError::InvalidStatus.into()) }
}

#[inline(always)]
pub fn process(program_id: &Address, accounts: Accounts, data: &[u8]) -> ProgramResult {
    let mut args = Args(data);
    let status = args.u8()?;
    args.end()?;
    let Accounts { mut zone, mut meter, mut point, meter_page, dispute, config, instructions, .. } = accounts;
    let slot = freeze::slot_of(meter_page, &meter, program_id)?;
    let now = time::now()?;
    let evidence = Evidence { dispute, config, instructions };
    match (meter.status, status) {
        (STATUS_ACTIVE | STATUS_SUSPENDED, STATUS_ACTIVE) => {
            activate(&mut meter, slot.as_ref(), &evidence, program_id, now)?;
        }
        (STATUS_ACTIVE | STATUS_SUSPENDED, STATUS_SUSPENDED) => {
            suspend(&mut meter, slot.as_ref(), &evidence, program_id)?;
        }
        (STATUS_ACTIVE | STATUS_SUSPENDED, STATUS_CLOSED) => {
            evidence.dispute.check_absent(program_id)?;
            freeze::check_settled(slot.as_ref(), &meter, now)?;
            leave(&mut point.account, &mut zone, &meter, slot.as_ref())?;
        }
        (STATUS_PENDING, STATUS_CLOSED) => evidence.dispute.check_absent(program_id)?,
        _ => return Err(GtxError::InvalidStatus.into()),
    }
    meter.status = status;
    let (export_wh, import_wh) = slot.map_or((Wh::ZERO, Wh::ZERO), |slot| (slot.export_wh, slot.import_wh));
    StatusSet::emit(meter.meter_id, status, export_wh, import_wh, meter.baseline_window);
    Ok(())
}
