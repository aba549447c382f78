//! replace_meter: another device at the same connection point takes over the slot of a suspended meter. It is a new record, whose
//! carried totals are at least the slot's, so that they never fall; the old record keeps no slot.

use gtx_common::{
    GtxError,
    args::Args,
    checks::{self, same_key},
    events::MeterReplaced,
    ids,
    layout::{
        oracle::{MeterSlot, SUSPENDED},
        registry::{Config, Meter, NO_PAGE, NO_SLOT, Point, STATUS_REPLACED, STATUS_SUSPENDED, Zone},
    },
    pda, time,
};
use pinocchio::{AccountView, Address, ProgramResult, error::ProgramError};

use crate::{
    freeze,
    register_meter::{self, Limits, ROLE_POINT, Record, Signed},
};

/// What the utility says of the new meter.
struct Replacement {
    limits: Limits,
    carried_import_wh: u64,
    carried_export_wh: u64,
}

fn parse(data: &[u8]) -> Result<Replacement, ProgramError> {
    let mut args = Args(data);
    let limits = Limits {
        commitment: [0; 32], // the point is the old meter's
        export_w: args.u32()?,
        import_w: args.u32()?,
        register_step_wh: args.u32()?,
        tariff_class: args.u16()?,
    };
    let replacement = Replacement { limits, carried_import_wh: args.u64()?, carried_export_wh: args.u64()? };
    args.end()?;
    Ok(replacement)
}

/// The slot stands still, and the carried totals are not below it.
fn check_slot(slot: Option<&MeterSlot>, replacement: &Replacement) -> ProgramResult {
    let slot = slot.ok_or(ProgramError::from(GtxError::MeterHasNoSlot))?;
    if slot.flags & SUSPENDED == 0 {
        return Err(GtxError::SlotNotFrozen.into());
    }
    let Replacement { carried_import_wh: import, carried_export_wh: export, .. } = *replacement;
    if export < slot.export_wh || import < slot.import_wh {
        return Err(GtxError::TotalsFell.into());
    }
    if (export | import) >> 63 != 0 {
        return Err(GtxError::ArithmeticOverflow.into());
    }
    Ok(())
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
    Ok(())
}

pub fn process(program_id: &Address, accounts: &mut [AccountView], data: &[u8]) -> ProgramResult {
    let replacement = parse(data)?;
    let [utility, payer, config, zone, page, old, meter, point, sysvar, system, ..] = accounts else {
        return Err(GtxError::MissingAccount.into());
    };
    checks::payer(payer)?;
    checks::key(system, &ids::SYSTEM)?;
    let zone = checks::load::<Zone>(zone)?;
    let mut old = checks::load_mut::<Meter>(old)?;
    freeze::check_utility(utility, &zone, &old)?;
    if old.status != STATUS_SUSPENDED {
        return Err(GtxError::SlotNotFrozen.into());
    }
    let now = time::now()?;
    let slot = freeze::slot_of(page, &old, program_id)?;
    freeze::check_settled(slot.as_ref(), &old, now)?;
    check_slot(slot.as_ref(), &replacement)?;
    let signed = register_meter::signed(sysvar)?;
    register_meter::check_message(&signed, &*checks::load::<Config>(config)?, &zone)?;
    check_message(&signed, &old)?;
    if !same_key(point.address().as_array(), &old.point) {
        return Err(GtxError::AccountKeyMismatch.into());
    }

    let bump = pda::create(meter, payer, program_id, &[b"meter", &signed.meter_id], size_of::<Meter>())?;
    let record =
        Record { signed: &signed, limits: &replacement.limits, zone: old.zone, page: old.page, slot: old.slot, bump };
    record.write(meter, &old.point, utility.address().as_array())?;
    {
        let mut new = checks::load_mut::<Meter>(meter)?;
        new.carried_import_wh = replacement.carried_import_wh;
        new.carried_export_wh = replacement.carried_export_wh;
        new.predecessor = old.meter_id;
        new.last_rotation_window = time::window_at(now);
    }
    checks::load_mut::<Point>(point)?.meter_id = signed.meter_id;
    record.announce();
    MeterReplaced::emit(old.meter_id, signed.meter_id, old.zone, old.page, old.slot);
    old.status = STATUS_REPLACED;
    old.successor = signed.meter_id;
    old.page = NO_PAGE;
    old.slot = NO_SLOT;
    Ok(())
}
