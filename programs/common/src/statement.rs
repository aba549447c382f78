//! A window statement that the Ed25519 precompile verified just before [wire §4.3], and its meaning for a slot.

use gtx_wire::{
    frame::{self, SIGNED_BYTES},
    payload::{self, PAYLOAD_BYTES, Statement},
    quality,
};
use pinocchio::{error::ProgramError, sysvars::instructions::Instructions};

use crate::{
    GtxError, Wh, Window,
    accounts::InstructionsSysvar,
    checks::same_key,
    ed25519,
    layout::registry::{Config, Meter},
};

const KIND_STATEMENT: u8 = 2;

/// A key's statement about one window: the registers at its end.
pub struct Signed {
    pub key: [u8; 32],
    pub payload: [u8; PAYLOAD_BYTES],
    pub window: Window,
    pub export_wh: Wh,
    pub import_wh: Wh,
}

/// Returns the statement that the precompile verified: for this network and meter, of a quality that may be attested. The
/// caller judges its key.
#[inline(always)]
pub fn signed(sysvar: InstructionsSysvar, config: &Config, meter: &Meter) -> Result<Signed, ProgramError> {
    let verified = ed25519::previous::<SIGNED_BYTES>(&Instructions::try_from(sysvar.view())?)?;
    let payload =
        *frame::payload_of(&verified.message).map_err(|_| ProgramError::from(GtxError::SignatureMessageMismatch))?;
    let (header, kind) = payload::parse_header(&payload).map_err(|_| ProgramError::from(GtxError::MalformedMessage))?;
    if kind != KIND_STATEMENT {
        return Err(GtxError::MalformedMessage.into());
    }
    if header.network_id != config.network_id {
        return Err(GtxError::WrongNetwork.into());
    }
    if header.meter_id != meter.meter_id {
        return Err(GtxError::UnauthorizedMeter.into());
    }
    let statement = Statement::parse(&payload);
    if !quality::is_attestable(statement.quality) {
        return Err(GtxError::QualityNotAttestable.into());
    }
    let Statement { window, export_wh, import_wh, .. } = statement;
    Ok(Signed {
        key: verified.key,
        payload,
        window: Window::new(window),
        export_wh: Wh::new(export_wh),
        import_wh: Wh::new(import_wh),
    })
}

impl Signed {
    /// Checks that the meter's present key signed, for a window from its first valid one on. UnauthorizedMeter for another key.
    #[inline(always)]
    pub fn by_present_key(&self, meter: &Meter) -> Result<(), ProgramError> {
        if !same_key(&self.key, &meter.device_key) {
            return Err(GtxError::UnauthorizedMeter.into());
        }
        if self.window < meter.first_valid_window {
            return Err(GtxError::BeforeFirstWindow.into());
        }
        Ok(())
    }

    /// Checks that the statement is evidence: signed by the device's present key, or by the previous key up to its last window.
    pub fn is_evidence(&self, meter: &Meter) -> Result<(), ProgramError> {
        if meter.signer_level != 1 {
            return Err(GtxError::NotDeviceSigned.into());
        }
        if !meter.baseline_window.is_unset() && self.window <= meter.baseline_window {
            return Err(GtxError::BeforeFirstWindow.into());
        }
        let previous = !same_key(&meter.previous_key, &[0; 32]) && same_key(&self.key, &meter.previous_key);
        if !previous {
            return self.by_present_key(meter);
        }
        if self.window > meter.previous_key_last_window {
            return Err(GtxError::UnauthorizedMeter.into());
        }
        Ok(())
    }

    /// Checks that the key is the one that spoke for the slot's window. Only that key can contradict the slot: statements of
    /// two keys are no contradiction of one device. UnauthorizedMeter.
    pub fn speaks_for(&self, meter: &Meter, slot_window: Window) -> Result<(), ProgramError> {
        let had_key = !same_key(&meter.previous_key, &[0; 32]);
        let key = if had_key && slot_window <= meter.previous_key_last_window {
            &meter.previous_key
        } else {
            &meter.device_key
        };
        if same_key(&self.key, key) { Ok(()) } else { Err(GtxError::UnauthorizedMeter.into()) }
    }

    /// Returns the totals (export, import) that the registers give: carried + raw - baseline. None below the baseline.
    #[inline(always)]
    pub fn totals(&self, meter: &Meter) -> Option<(Wh, Wh)> {
        let export = self.export_wh.checked_sub(meter.baseline_export_wh)?.checked_add(meter.carried_export_wh)?;
        let import = self.import_wh.checked_sub(meter.baseline_import_wh)?.checked_add(meter.carried_import_wh)?;
        Some((export, import))
    }
}
