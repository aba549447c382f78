//! set_status: the utility suspends, closes or reactivates a meter. sync_slot of the oracle program copies it into the slot. Whoever
//! reactivates names the accepted totals and the registers that they stand for: what the registers show beyond them moves into the
//! baseline. That is also how a dispute ends.

use gtx_common::{
    GtxError,
    args::Args,
    checks::{self, same_key},
    events::StatusSet,
    layout::{
        oracle::{ACTIVE, DISPUTED, Dispute, MeterSlot, OPEN},
        registry::{Meter, Point, STATUS_ACTIVE, STATUS_CLOSED, STATUS_SUSPENDED, Zone},
    },
    time,
};
use pinocchio::{AccountView, Address, ProgramResult, error::ProgramError};

use crate::freeze;

/// The accepted totals, and the raw registers at the end of `window` that they stand for. All zero when nothing is reactivated.
#[derive(PartialEq, Eq)]
struct Accepted {
    window: u32,
    raw_import_wh: u64,
    raw_export_wh: u64,
    import_wh: u64,
    export_wh: u64,
}

const NOTHING: Accepted = Accepted { window: 0, raw_import_wh: 0, raw_export_wh: 0, import_wh: 0, export_wh: 0 };

fn parse(data: &[u8]) -> Result<(u8, Accepted), ProgramError> {
    let mut args = Args(data);
    let status = args.u8()?;
    let accepted = Accepted {
        window: args.u32()?,
        raw_import_wh: args.u64()?,
        raw_export_wh: args.u64()?,
        import_wh: args.u64()?,
        export_wh: args.u64()?,
    };
    args.end()?;
    if status != STATUS_ACTIVE && accepted != NOTHING {
        return Err(GtxError::MalformedInstruction.into());
    }
    Ok((status, accepted))
}

/// The number of the slot's case, when the slot is disputed: it must have its verdict. 0 without a dispute.
fn decided(
    dispute: &AccountView,
    slot: Option<&MeterSlot>,
    meter: &Meter,
    program_id: &Address,
) -> Result<u32, ProgramError> {
    if slot.is_none_or(|slot| slot.flags & DISPUTED == 0) {
        freeze::check_absent(dispute, program_id)?;
        return Ok(0);
    }
    let dispute = checks::load::<Dispute>(dispute)?;
    if dispute.zone != meter.zone || dispute.page != meter.page || dispute.slot != meter.slot {
        return Err(GtxError::AccountKeyMismatch.into());
    }
    if dispute.verdict == OPEN { Err(GtxError::DisputeOpen.into()) } else { Ok(dispute.number) }
}

/// One register's accepted total lies between the slot's and what the register shows.
fn check_total(accepted: u64, floor: u64, carried: u64, raw: u64, baseline: u64) -> ProgramResult {
    let shown = raw.checked_sub(baseline).and_then(|rise| carried.checked_add(rise)).unwrap_or(0);
    if accepted < floor {
        return Err(GtxError::TotalsFell.into());
    }
    if accepted > shown.max(floor) {
        return Err(GtxError::ExcessiveAmount.into());
    }
    Ok(())
}

fn reactivate(meter: &mut Meter, slot: Option<&MeterSlot>, accepted: &Accepted, now: u64) -> ProgramResult {
    // A slot that still moves could pass the totals that are named here.
    let frozen = slot.map_or(meter.status == STATUS_SUSPENDED, |slot| slot.flags & (ACTIVE | DISPUTED) != ACTIVE);
    if !frozen {
        return Err(GtxError::SlotNotFrozen.into());
    }
    if !time::has_begun(accepted.window, now) {
        return Err(GtxError::WindowInFuture.into());
    }
    let first = accepted.window.checked_add(1).ok_or(ProgramError::from(GtxError::ArithmeticOverflow))?;
    let (export_floor, import_floor, slot_window) = match slot {
        Some(slot) => (slot.export_wh, slot.import_wh, slot.window),
        None => (meter.carried_export_wh, meter.carried_import_wh, 0),
    };
    if accepted.window < slot_window || first < meter.first_valid_window {
        return Err(GtxError::BeforeFirstWindow.into());
    }
    check_total(
        accepted.export_wh,
        export_floor,
        meter.carried_export_wh,
        accepted.raw_export_wh,
        meter.baseline_export_wh,
    )?;
    check_total(
        accepted.import_wh,
        import_floor,
        meter.carried_import_wh,
        accepted.raw_import_wh,
        meter.baseline_import_wh,
    )?;
    meter.carried_export_wh = accepted.export_wh;
    meter.carried_import_wh = accepted.import_wh;
    meter.baseline_export_wh = accepted.raw_export_wh;
    meter.baseline_import_wh = accepted.raw_import_wh;
    meter.first_valid_window = first;
    // With the new baseline the old key's later statements would be misread.
    meter.previous_key_last_window = meter.previous_key_last_window.min(slot_window);
    Ok(())
}

/// The connection point has no live meter any more.
fn leave_point(point: &mut AccountView, meter: &Meter) -> ProgramResult {
    let mut point = checks::load_mut::<Point>(point)?;
    if point.meter_id == meter.meter_id {
        point.meter_id = [0; 16];
    }
    Ok(())
}

pub fn process(program_id: &Address, accounts: &mut [AccountView], data: &[u8]) -> ProgramResult {
    let (status, accepted) = parse(data)?;
    let [utility, zone, meter, point, page, dispute, ..] = accounts else {
        return Err(GtxError::MissingAccount.into());
    };
    let zone = checks::load::<Zone>(zone)?;
    let mut meter = checks::load_mut::<Meter>(meter)?;
    freeze::check_utility(utility, &zone, &meter)?;
    checks::writable(point)?;
    if !same_key(point.address().as_array(), &meter.point) {
        return Err(GtxError::AccountKeyMismatch.into());
    }
    let slot = freeze::slot_of(page, &meter, program_id)?;
    let now = time::now()?;
    match (meter.status, status) {
        (STATUS_ACTIVE | STATUS_SUSPENDED, STATUS_ACTIVE) => {
            let number = decided(dispute, slot.as_ref(), &meter, program_id)?;
            reactivate(&mut meter, slot.as_ref(), &accepted, now)?;
            meter.accepted_dispute = meter.accepted_dispute.max(number);
        }
        (STATUS_ACTIVE, STATUS_SUSPENDED) => freeze::check_absent(dispute, program_id)?,
        (STATUS_ACTIVE | STATUS_SUSPENDED, STATUS_CLOSED) => {
            freeze::check_absent(dispute, program_id)?;
            freeze::check_settled(slot.as_ref(), &meter, now)?;
            leave_point(point, &meter)?;
        }
        _ => return Err(GtxError::InvalidStatus.into()),
    }
    meter.status = status;
    StatusSet::emit(meter.meter_id, status, accepted.export_wh, accepted.import_wh, accepted.window);
    Ok(())
}
