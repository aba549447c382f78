//! confirm_meter: the zone's utility confirms a registered meter. It names the key and the enrolment that it checked, sets the
//! limits, and assigns the slot. Before that, an installer's record moves nothing.

use gtx_common::{
    GtxError, Window,
    accounts::{Located, Signer},
    args::Args,
    checks::same_key,
    events::MeterConfirmed,
    layout::{
        oracle::SLOTS,
        registry::{Meter, Point, STATUS_ACTIVE, STATUS_PENDING, Zone},
    },
    time,
};
use pinocchio::{AccountView, Address, ProgramResult, account::RefMut, error::ProgramError};

use crate::{
    enrolment::ROLE_POINT,
    freeze,
    limits::{Limits, take_capacity},
};

gtx_common::accounts! {
    /// The accounts of confirm_meter.
    struct Accounts<'a> {
        /// Zone.utility.
        utility: Signer<'a>,
        /// The meter's zone.
        zone: RefMut<'a, Zone>,
        /// The pending meter.
        meter: RefMut<'a, Meter>,
        /// Its connection point.
        point: Located<'a, Point>,
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

/// Returns page and slot: the next free ones of the zone.
fn assign(zone: &mut Zone) -> Result<(u32, u16), ProgramError> {
    let overflow = ProgramError::from(GtxError::ArithmeticOverflow);
    let number = zone.meter_count;
    const { assert!(SLOTS == 256) };
    let (page, slot) = (number >> 8, number & 0xff);
    zone.meter_count = number.checked_add(1).ok_or(overflow.clone())?;
    zone.page_count = page.checked_add(1).ok_or(overflow.clone())?;
    Ok((page, u16::try_from(slot).map_err(|_| overflow)?))
}

/// Makes the meter the point's live one. PointTaken when the point has another. AlreadyCounted when the meter's registers were
/// read before the energy of the point's last meter ended: the same energy would count twice.
fn take_point(point: &mut Point, meter: &Meter) -> ProgramResult {
    if point.meter_id != [0; 16] {
        return Err(GtxError::PointTaken.into());
    }
    if !point.counted_window.is_unset() && meter.enrolment_window <= point.counted_window {
        return Err(GtxError::AlreadyCounted.into());
    }
    point.meter_id = meter.meter_id;
    Ok(())
}

#[inline(always)]
pub fn process(_program: &Address, accounts: Accounts, data: &[u8]) -> ProgramResult {
    let mut args = Args(data);
    let device_key = *args.bytes::<32>()?;
    let enrolment = *args.bytes::<16>()?;
    let limits = Limits::parse(&mut args)?;
    args.end()?;

    let Accounts { mut zone, mut meter, mut point, .. } = accounts;
    if meter.status != STATUS_PENDING {
        return Err(GtxError::MeterNotPending.into());
    }
    // An installer may have registered the record anew since the utility read it.
    if !same_key(&device_key, &meter.device_key) || enrolment != meter.enrolment {
        return Err(GtxError::UnauthorizedMeter.into());
    }
    limits.write(&mut meter)?;
    if meter.role == ROLE_POINT {
        take_point(&mut point.account, &meter)?;
        take_capacity(&mut zone, &meter)?;
        (meter.page, meter.slot) = assign(&mut zone)?;
    } else {
        zone.evidence_count =
            zone.evidence_count.checked_add(1).ok_or(ProgramError::from(GtxError::ArithmeticOverflow))?;
    }
    meter.confirmed_window = time::window_at(time::now()?).max(Window::new(1));
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
