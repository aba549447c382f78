//! rotate_key: gives a meter another key [chain §7.8]. The new key proves itself with an enrolment message, and the utility
//! signs. The old key has signed the same message too; its verification stands before the new key's. For a lost key the
//! registry's authority signs instead. The old key stays good for disputes and backfill up to the latest of three windows.
//! These are the message's, the slot's, and the one after the running one. So the statement behind the slot stays evidence,
//! also one of an attestation under way. The record keeps one previous key, so a further rotation waits until the slot has
//! moved.

use gtx_common::{
    GtxError, Window,
    accounts::{InstructionsSysvar, Optional, OptionalSigner, Signer},
    args::Args,
    checks::same_key,
    ed25519,
    events::KeyRotated,
    layout::{
        oracle::{MeterPage, MeterSlot},
        registry::{Config, Meter, STATUS_ACTIVE, STATUS_SUSPENDED, Zone},
    },
    time,
};
use gtx_wire::frame::SIGNED_BYTES;
use pinocchio::{
    AccountView, Address, ProgramResult,
    account::{Ref, RefMut},
    error::ProgramError,
    sysvars::instructions::Instructions,
};

use crate::{
    enrolment::{self, Signed},
    freeze,
};

gtx_common::accounts! {
    /// The accounts of rotate_key.
    struct Accounts<'a> {
        /// Zone.utility.
        utility: Signer<'a>,
        /// Config.authority, in recovery.
        authority: OptionalSigner<'a>,
        config: Ref<'a, Config>,
        /// The meter's zone.
        zone: Ref<'a, Zone>,
        /// The page of the meter's slot; absent for a meter without one.
        meter_page: Optional<'a, MeterPage>,
        /// The meter that gets another key.
        meter: RefMut<'a, Meter>,
        instructions: InstructionsSysvar<'a>,
    }
}

impl<'a> Accounts<'a> {
    /// InvalidAuthority, ZoneMismatch.
    #[inline(always)]
    pub fn load(_program: &Address, accounts: &'a mut [AccountView]) -> Result<Self, ProgramError> {
        let accounts = Self::prove(accounts)?;
        freeze::check_utility(accounts.utility, &accounts.zone, &accounts.meter)?;
        Ok(accounts)
    }
}

/// Checks that the message continues this meter's record.
fn check_message(signed: &Signed, meter: &Meter) -> ProgramResult {
    let enrolment = &signed.enrolment;
    if signed.meter_id != meter.meter_id || !same_key(&enrolment.owner, &meter.owner) {
        return Err(GtxError::UnauthorizedMeter.into());
    }
    // The level stays as the utility confirmed it. A device may claim to sign for itself where the utility has not accepted it.
    if enrolment.role != meter.role || u8::from(enrolment.device_signed) < meter.signer_level {
        return Err(GtxError::MalformedMessage.into());
    }
    if meter.key_epoch.checked_add(1) != Some(enrolment.key_epoch) {
        return Err(GtxError::KeyEpochMismatch.into());
    }
    if same_key(&signed.device_key, &meter.device_key) || same_key(&signed.device_key, &meter.previous_key) {
        return Err(GtxError::KeyUnchanged.into());
    }
    if signed.window.plus(1) < meter.first_valid_window {
        return Err(GtxError::EnrolmentWindowOutOfRange.into());
    }
    Ok(())
}

/// Checks that the old key signed the same message. SignatureMissing, UnauthorizedMeter, SignatureMessageMismatch.
#[inline(never)]
fn check_old_key(sysvar: InstructionsSysvar, meter: &Meter) -> ProgramResult {
    let instructions = Instructions::try_from(sysvar.view())?;
    let old = ed25519::before::<SIGNED_BYTES>(&instructions, 2)?;
    if !same_key(&old.key, &meter.device_key) {
        return Err(GtxError::UnauthorizedMeter.into());
    }
    if old.message != ed25519::previous::<SIGNED_BYTES>(&instructions)?.message {
        return Err(GtxError::SignatureMessageMismatch.into());
    }
    Ok(())
}

/// Checks that the previous key did not sign the slot's statement: the record keeps only one previous key.
fn check_moved(slot: Option<&MeterSlot>, meter: &Meter) -> ProgramResult {
    let stands = slot.is_some_and(|slot| slot.is_signed_for(meter) && slot.window <= meter.previous_key_last_window);
    if stands && !same_key(&meter.previous_key, &[0; 32]) {
        return Err(GtxError::SlotNotMoved.into());
    }
    Ok(())
}

/// Checks that the registry's authority signs where the old key did not.
fn check_recovery(authority: OptionalSigner, config: &Config) -> ProgramResult {
    if same_key(&config.authority, authority.key()?) { Ok(()) } else { Err(GtxError::InvalidAuthority.into()) }
}

#[inline(always)]
pub fn process(program_id: &Address, accounts: Accounts, data: &[u8]) -> ProgramResult {
    let mut args = Args(data);
    let recovery = args.bool()?;
    args.end()?;

    let Accounts { authority, config, zone, meter_page, mut meter, instructions, .. } = accounts;
    if recovery {
        check_recovery(authority, &config)?;
    } else {
        authority.check_absent(program_id)?;
    }
    if meter.status != STATUS_ACTIVE && meter.status != STATUS_SUSPENDED {
        return Err(GtxError::MeterNotActive.into());
    }
    let now = time::now()?;
    let slot = freeze::slot_of(meter_page, &meter, program_id)?;
    freeze::check_settled(slot.as_ref(), &meter, now)?;
    check_moved(slot.as_ref(), &meter)?;
    let signed = enrolment::signed(instructions)?;
    enrolment::check_message(&signed, &config, &zone)?;
    check_message(&signed, &meter)?;
    if !recovery {
        check_old_key(instructions, &meter)?;
    }

    // The old key signed the statements of attestations under way, so they stay evidence through the following window. A
    // development chain's windows lie in the past of its clock, and only the slot's window counts there.
    let running = if config.development == 1 { Window::UNSET } else { time::window_at(now).plus(1) };
    let last_window = signed.window.max(slot.map_or(Window::UNSET, |slot| slot.window)).max(running);
    meter.previous_key = meter.device_key;
    meter.previous_key_last_window = last_window;
    meter.device_key = signed.device_key;
    meter.key_epoch = signed.enrolment.key_epoch;
    meter.first_valid_window = last_window.next().ok_or(ProgramError::from(GtxError::ArithmeticOverflow))?;
    meter.last_rotation_window = time::window_at(now);
    KeyRotated::emit(meter.meter_id, meter.device_key, meter.key_epoch, last_window, u8::from(recovery));
    Ok(())
}
