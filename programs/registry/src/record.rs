//! A meter's record as an enrolment states it: pending, without limits and slot.

use bytemuck::Zeroable;
use gtx_common::{
    GtxError,
    accounts::Payer,
    checks::{self, Account, same_key},
    events::MeterRegistered,
    ids,
    layout::registry::{ALG_ED25519, Meter, NO_PAGE, NO_SLOT, STATUS_CLOSED, STATUS_PENDING, Zone},
    pda,
};
use pinocchio::{AccountView, Address, ProgramResult, error::ProgramError};

use crate::enrolment::Signed;

/// Creates the record, or finds one that the utility never confirmed. The installer who wrote such a record, or the utility,
/// may write it anew. After the utility refused it, every installer may. Returns the bump.
pub fn find(
    meter: &mut AccountView,
    payer: Payer,
    program_id: &Address,
    meter_id: &[u8; 16],
    authority: &[u8; 32],
    zone: &Zone,
) -> Result<u8, ProgramError> {
    if meter.owned_by(&ids::SYSTEM) {
        return pda::create(meter, payer, program_id, &seeds(&zone.zone.to_le_bytes(), meter_id), size_of::<Meter>());
    }
    let found = checks::load::<Meter>(meter)?;
    if found.zone != zone.zone || found.meter_id != *meter_id {
        return Err(GtxError::AccountKeyMismatch.into());
    }
    let is_theirs = same_key(&found.installer, authority) || same_key(&zone.utility, authority);
    let is_open = found.status == STATUS_PENDING && is_theirs || found.status == STATUS_CLOSED;
    if !found.confirmed_window.is_unset() || !is_open {
        return Err(GtxError::AccountAlreadyInitialized.into());
    }
    Ok(found.bump)
}

/// Returns the address's seeds. The zone is one of them, so that no other zone can take a meter's id.
fn seeds<'a>(zone: &'a [u8; 2], meter_id: &'a [u8; 16]) -> [&'a [u8]; 3] {
    [b"meter", zone, meter_id]
}

/// A new record as its enrolment states it: pending, without limits and slot.
pub struct Record<'a> {
    pub signed: &'a Signed,
    pub zone: u16,
    pub bump: u8,
}

impl Record<'_> {
    /// Writes the record. ArithmeticOverflow for an enrolment in the last window.
    #[inline(never)]
    pub fn write(&self, meter: &mut AccountView, point: &[u8; 32], installer: &[u8; 32]) -> ProgramResult {
        let Signed { device_key, meter_id, enrolment, window, hash, .. } = self.signed;
        let first_valid_window = window.next().ok_or(ProgramError::from(GtxError::ArithmeticOverflow))?;
        pda::fill(
            meter,
            &Meter {
                discriminator: Meter::DISCRIMINATOR,
                meter_id: *meter_id,
                owner: enrolment.owner,
                device_key: *device_key,
                point: *point,
                installer: *installer,
                page: NO_PAGE,
                zone: self.zone,
                slot: NO_SLOT,
                enrolment_window: *window,
                first_valid_window,
                key_epoch: enrolment.key_epoch,
                baseline_import_wh: self.signed.import_wh,
                baseline_export_wh: self.signed.export_wh,
                alg: ALG_ED25519,
                signer_level: u8::from(enrolment.device_signed),
                role: enrolment.role,
                source: enrolment.source,
                status: STATUS_PENDING,
                enrolment: *hash,
                bump: self.bump,
                ..Meter::zeroed()
            },
        )
    }

    /// Emits the event.
    pub fn announce(&self, page: u32, slot: u16) {
        let Signed { device_key, meter_id, enrolment, .. } = self.signed;
        MeterRegistered::emit(
            *meter_id,
            enrolment.owner,
            *device_key,
            self.zone,
            page,
            slot,
            enrolment.role,
            u8::from(enrolment.device_signed),
            self.signed.window,
        );
    }
}
