//! replace_meter: another device at the same connection point takes over the slot of a suspended meter [chain §7.8]. It is a new record
//! that carries the slot's totals exactly; the old record keeps no slot. Energy up to the old meter's last register enters before, as its
//! own statement under the cap.

use gtx_common::{
    GtxError,
    args::Args,
    checks::{self, same_key},
    events::MeterReplaced,
    ids,
    layout::{
        oracle::{MeterSlot, SUSPENDED},
        registry::{Config, Meter, NO_PAGE, NO_SLOT, Point, STATUS_ACTIVE, STATUS_REPLACED, STATUS_SUSPENDED, Zone},
    },
    time,
};
use pinocchio::{AccountView, Address, ProgramResult, error::ProgramError};

use crate::{
    freeze,
    limits::{Limits, give_capacity_back, take_capacity},
    register_meter::{self, ROLE_POINT, Record, Signed},
};

/// Returns the slot, when it stands still.
fn suspended(slot: Option<MeterSlot>) -> Result<MeterSlot, ProgramError> {
    let slot = slot.ok_or(ProgramError::from(GtxError::MeterHasNoSlot))?;
    if slot.flags & SUSPENDED == 0 {
        return Err(GtxError::SlotNotFrozen.into());
    }
    Ok(slot)
}

/// The message is by another device for the same owner's connection point.
fn check_message(signed: &Signed, old: &Meter) -> ProgramResult {
    if !same_key(&signed.enrolment.owner, &old.owner) {
        return Err(GtxError::UnauthorizedMeter.into());
    }
    if signed.enrolment.role != ROLE_POINT {
        return Err(GtxError::MeterHasNoSlot.into());
    }
    if same_key(&signed.device_key, &old.device_key) || same_key(&signed.device_key, &old.previous_key) {
        return Err(GtxError::KeyUnchanged.into());
    }
    if signed.enrolment.key_epoch != 0 {
        return Err(GtxError::KeyEpochMismatch.into());
    }
    Ok(())
}

/// The new record goes on where the slot stands: its totals exactly, in windows after it.
fn go_on(new: &mut Meter, old: &Meter, slot: &MeterSlot, now: u64) -> ProgramResult {
    let last = new.enrolment_window; // after the slot's window, see process
    new.carried_import_wh = slot.import_wh;
    new.carried_export_wh = slot.export_wh;
    new.baseline_window = last;
    new.first_valid_window = last.checked_add(1).ok_or(ProgramError::from(GtxError::ArithmeticOverflow))?;
    new.predecessor = old.meter_id;
    new.last_rotation_window = time::window_at(now);
    new.confirmed_window = time::window_at(now).max(1);
    (new.page, new.slot) = (old.page, old.slot);
    new.status = STATUS_ACTIVE;
    Ok(())
}

/// The point's live meter is the old one; the new one takes its place.
fn pass_point(point: &mut AccountView, old: &Meter, meter_id: [u8; 16]) -> ProgramResult {
    if !same_key(point.address().as_array(), &old.point) {
        return Err(GtxError::AccountKeyMismatch.into());
    }
    let mut point = checks::load_mut::<Point>(point)?;
    if point.meter_id != old.meter_id {
        return Err(GtxError::PointTaken.into());
    }
    point.meter_id = meter_id;
    Ok(())
}

pub fn process(program_id: &Address, accounts: &mut [AccountView], data: &[u8]) -> ProgramResult {
    let mut args = Args(data);
    let limits = Limits::parse(&mut args)?;
    args.end()?;
    let [utility, payer, config, zone, page, old, meter, point, sysvar, system, ..] = accounts else {
        return Err(GtxError::MissingAccount.into());
    };
    checks::payer(payer)?;
    checks::key(system, &ids::SYSTEM)?;
    let mut zone = checks::load_mut::<Zone>(zone)?;
    let mut old = checks::load_mut::<Meter>(old)?;
    freeze::check_utility(utility, &zone, &old)?;
    if old.status != STATUS_SUSPENDED {
        return Err(GtxError::SlotNotFrozen.into());
    }
    let now = time::now()?;
    let slot = freeze::slot_of(page, &old, program_id)?;
    freeze::check_settled(slot.as_ref(), &old, now)?;
    let slot = suspended(slot)?;
    let signed = register_meter::signed(sysvar)?;
    register_meter::check_message(&signed, &*checks::load::<Config>(config)?, &zone)?;
    check_message(&signed, &old)?;
    if signed.enrolment.window <= slot.window {
        return Err(GtxError::AlreadyCounted.into()); // its registers were read while the old meter still counted
    }
    give_capacity_back(&mut zone, &old);

    // A record that somebody registered under this id and the utility never confirmed is no hindrance.
    let utility_key = utility.address().as_array();
    let bump = register_meter::find_record(meter, payer, program_id, &signed.meter_id, utility_key, &zone)?;
    let record = Record { signed: &signed, zone: old.zone, bump };
    record.write(meter, &old.point, utility_key)?;
    {
        let mut new = checks::load_mut::<Meter>(meter)?;
        limits.write(&mut new)?;
        take_capacity(&mut zone, &new)?;
        go_on(&mut new, &old, &slot, now)?;
    }
    pass_point(point, &old, signed.meter_id)?;
    record.announce(old.page, old.slot);
    MeterReplaced::emit(old.meter_id, signed.meter_id, old.zone, old.page, old.slot);
    old.status = STATUS_REPLACED;
    old.successor = signed.meter_id;
    old.page = NO_PAGE;
    old.slot = NO_SLOT;
    Ok(())
}
