//! replace_meter: another device at the same connection point adopts the slot of a suspended meter [chain §7.8]. Its new record
//! carries the slot's totals exactly; the old record keeps no slot. Energy up to the old meter's last register must enter
//! before, by the old meter's own statement under the cap.

use gtx_common::{
    GtxError, Window,
    accounts::{InstructionsSysvar, Located, Payer, Signer, SystemProgram, Writable},
    args::Args,
    checks::{self, same_key},
    events::MeterReplaced,
    layout::{
        oracle::{MeterPage, MeterSlot, SUSPENDED},
        registry::{Config, Meter, NO_PAGE, NO_SLOT, Point, STATUS_ACTIVE, STATUS_REPLACED, STATUS_SUSPENDED, Zone},
    },
    time,
};
use pinocchio::{
    AccountView, Address, ProgramResult,
    account::{Ref, RefMut},
    error::ProgramError,
};

use crate::{
    enrolment::{self, ROLE_POINT, Signed},
    freeze,
    limits::{Limits, give_capacity_back, take_capacity},
    record::{self, Record},
};

gtx_common::accounts! {
    /// The accounts of replace_meter.
    struct Accounts<'a> {
        /// Zone.utility.
        utility: Signer<'a>,
        payer: Payer<'a>,
        config: Ref<'a, Config>,
        /// The meter's zone.
        zone: RefMut<'a, Zone>,
        /// The page of the slot.
        meter_page: Ref<'a, MeterPage>,
        /// The suspended meter.
        old_meter: RefMut<'a, Meter>,
        /// The record of the new device. The instruction creates it, unless an unconfirmed record exists.
        meter: Writable<'a>,
        /// The old meter's connection point.
        point: Located<'a, Point>,
        instructions: InstructionsSysvar<'a>,
        system_program: SystemProgram<'a>,
    }
}

impl<'a> Accounts<'a> {
    /// InvalidAuthority, ZoneMismatch, SlotNotFrozen for a meter that is not suspended, MeterHasNoSlot, AccountKeyMismatch for another
    /// meter's page or connection point.
    #[inline(always)]
    pub fn load(_program: &Address, accounts: &'a mut [AccountView]) -> Result<Self, ProgramError> {
        let accounts = Self::prove(accounts)?;
        let (old, page) = (&accounts.old_meter, &accounts.meter_page);
        freeze::check_utility(accounts.utility, &accounts.zone, old)?;
        if old.status != STATUS_SUSPENDED {
            return Err(GtxError::SlotNotFrozen.into());
        }
        if old.slot == NO_SLOT {
            return Err(GtxError::MeterHasNoSlot.into());
        }
        if page.zone != old.zone || page.page != old.page || !same_key(&accounts.point.address, &old.point) {
            return Err(GtxError::AccountKeyMismatch.into());
        }
        Ok(accounts)
    }
}

/// Returns the slot if it is suspended. SlotNotFrozen.
fn suspended(slot: MeterSlot) -> Result<MeterSlot, ProgramError> {
    if slot.flags & SUSPENDED == 0 {
        return Err(GtxError::SlotNotFrozen.into());
    }
    Ok(slot)
}

/// Checks that another device signed the message, for the same owner's connection point.
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

/// Continues the new record from the slot: its exact totals, and the windows after it.
fn go_on(new: &mut Meter, old: &Meter, slot: &MeterSlot, now: u64) -> ProgramResult {
    let last = new.enrolment_window; // after the slot's window, see process
    new.carried_import_wh = slot.import_wh;
    new.carried_export_wh = slot.export_wh;
    new.baseline_window = last;
    new.first_valid_window = last.next().ok_or(ProgramError::from(GtxError::ArithmeticOverflow))?;
    new.predecessor = old.meter_id;
    new.last_rotation_window = time::window_at(now);
    new.confirmed_window = time::window_at(now).max(Window::new(1));
    (new.page, new.slot) = (old.page, old.slot);
    new.status = STATUS_ACTIVE;
    Ok(())
}

/// Replaces the old meter by the new one as the point's live meter.
fn pass_point(point: &mut Point, old: &Meter, meter_id: [u8; 16]) -> ProgramResult {
    if point.meter_id != old.meter_id {
        return Err(GtxError::PointTaken.into());
    }
    point.meter_id = meter_id;
    Ok(())
}

#[inline(always)]
pub fn process(program_id: &Address, accounts: Accounts, data: &[u8]) -> ProgramResult {
    let mut args = Args(data);
    let limits = Limits::parse(&mut args)?;
    args.end()?;
    let Accounts { utility, payer, config, mut zone, meter_page, old_meter, mut meter, mut point, .. } = accounts;
    let mut old = old_meter;
    let now = time::now()?;
    let slot = freeze::slot_on(&meter_page, &old)?;
    freeze::check_settled(Some(&slot), &old, now)?;
    let slot = suspended(slot)?;
    let signed = enrolment::signed(accounts.instructions)?;
    enrolment::check_message(&signed, &config, &zone)?;
    check_message(&signed, &old)?;
    if signed.window <= slot.window {
        return Err(GtxError::AlreadyCounted.into()); // its registers were read while the old meter still counted
    }
    give_capacity_back(&mut zone, &old);

    // An unconfirmed record that somebody registered under this id is no hindrance.
    let utility_key = utility.address().as_array();
    let bump = record::find(&mut meter, payer, program_id, &signed.meter_id, utility_key, &zone)?;
    let record = Record { signed: &signed, zone: old.zone, bump };
    record.write(&mut meter, &old.point, utility_key)?;
    {
        let mut new = checks::load_mut::<Meter>(&mut meter)?;
        limits.write(&mut new)?;
        take_capacity(&mut zone, &new)?;
        go_on(&mut new, &old, &slot, now)?;
    }
    pass_point(&mut point.account, &old, signed.meter_id)?;
    record.announce(old.page, old.slot);
    MeterReplaced::emit(old.meter_id, signed.meter_id, old.zone, old.page, old.slot);
    old.status = STATUS_REPLACED;
    old.successor = signed.meter_id;
    old.page = NO_PAGE;
    old.slot = NO_SLOT;
    Ok(())
}
