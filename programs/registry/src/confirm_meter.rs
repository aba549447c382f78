//! confirm_meter: the zone's utility lets a registered meter speak. It names the key and the
//! enrolment that it looked at, sets the limits, and assigns
//! the slot. Until then a record of an installer moves nothing.

use gtx_common::{
    GtxError,
    args::Args,
    checks::{self, same_key},
    events::MeterConfirmed,
    layout::{
        oracle::SLOTS,
        registry::{Meter, Point, STATUS_ACTIVE, STATUS_PENDING, Zone},
    },
    time,
};
use pinocchio::{AccountView, ProgramResult, error::ProgramError};

use crate::{
    freeze,
    limits::{Limits, take_capacity},
    register_meter::ROLE_POINT,
};

/// Returns page and slot: the zone's next ones.
fn assign(zone: &mut Zone) -> Result<(u32, u16), ProgramError> {
    let overflow = ProgramError::from(GtxError::ArithmeticOverflow);
    let number = zone.meter_count;
    const { assert!(SLOTS == 256) };
    let (page, slot) = (number >> 8, number & 0xff);
    zone.meter_count = number.checked_add(1).ok_or(overflow.clone())?;
    zone.page_count = page.checked_add(1).ok_or(overflow.clone())?;
    Ok((page, u16::try_from(slot).map_err(|_| overflow)?))
}

/// Makes the meter the point's live one. PointTaken when another is. AlreadyCounted when its registers were read before the energy of
/// the point's last meter ended: the same energy would count twice.
fn take_point(point: &mut AccountView, meter: &Meter) -> ProgramResult {
    let mut point = checks::load_mut::<Point>(point)?;
    if point.meter_id != [0; 16] {
        return Err(GtxError::PointTaken.into());
    }
    if point.counted_window != 0 && meter.enrolment_window <= point.counted_window {
        return Err(GtxError::AlreadyCounted.into());
    }
    point.meter_id = meter.meter_id;
    Ok(())
}

pub fn process(accounts: &mut [AccountView], data: &[u8]) -> ProgramResult {
    let mut args = Args(data);
    let device_key = *args.bytes::<32>()?;
    let enrolment = *args.bytes::<16>()?;
    let limits = Limits::parse(&mut args)?;
    args.end()?;

    let [utility, zone, meter, point, ..] = accounts else {
        return Err(GtxError::MissingAccount.into());
    };
    let mut zone = checks::load_mut::<Zone>(zone)?;
    let mut meter = checks::load_mut::<Meter>(meter)?;
    freeze::check_utility(utility, &zone, &meter)?;
    if meter.status != STATUS_PENDING {
        return Err(GtxError::MeterNotPending.into());
    }
    // The record may have been registered anew since the utility read it.
    if !same_key(&device_key, &meter.device_key) || enrolment != meter.enrolment {
        return Err(GtxError::UnauthorizedMeter.into());
    }
    if !same_key(point.address().as_array(), &meter.point) {
        return Err(GtxError::AccountKeyMismatch.into());
    }
    limits.write(&mut meter)?;
    if meter.role == ROLE_POINT {
        take_point(point, &meter)?;
        take_capacity(&mut zone, &meter)?;
        (meter.page, meter.slot) = assign(&mut zone)?;
    } else {
        zone.evidence_count =
            zone.evidence_count.checked_add(1).ok_or(ProgramError::from(GtxError::ArithmeticOverflow))?;
    }
    meter.confirmed_window = time::window_at(time::now()?).max(1);
    meter.status = STATUS_ACTIVE;
    MeterConfirmed::emit(
        meter.meter_id,
        meter.zone,
        meter.page,
        meter.slot,
        meter.export_limit_w,
        meter.import_limit_w,
        meter.register_step_wh,
        meter.tariff_class,
        meter.signer_level,
    );
    Ok(())
}
