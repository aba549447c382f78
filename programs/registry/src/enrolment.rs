//! The enrolment message that a device signed [wire §4.5], and the checks for each instruction that enrols a key.

use gtx_common::{
    GtxError, Wh, Window,
    accounts::InstructionsSysvar,
    ed25519,
    layout::registry::{Config, Zone},
    sys, time,
};
use gtx_wire::{
    frame::{self, SIGNED_BYTES},
    keys,
    payload::{self, Enrolment},
};
use pinocchio::{ProgramResult, error::ProgramError, sysvars::instructions::Instructions};

const KIND_ENROLMENT: u8 = 4;
pub const ROLE_POINT: u8 = 0;

/// The enrolment that a device signed.
pub struct Signed {
    pub device_key: [u8; 32],
    network_id: [u8; 8],
    pub meter_id: [u8; 16],
    pub enrolment: Enrolment,
    pub window: Window,
    /// The registers at the commissioning.
    pub export_wh: Wh,
    pub import_wh: Wh,
    /// First 16 bytes of the payload's hash.
    pub hash: [u8; 16],
}

/// Returns the enrolment that the precompile verified just before. The signature proves that the device holds its key.
/// SignatureMissing, SignatureMalformed, SignatureMessageMismatch, MalformedMessage.
#[inline(never)]
pub fn signed(sysvar: InstructionsSysvar) -> Result<Signed, ProgramError> {
    let verified = ed25519::previous::<SIGNED_BYTES>(&Instructions::try_from(sysvar.view())?)?;
    let payload =
        frame::payload_of(&verified.message).map_err(|_| ProgramError::from(GtxError::SignatureMessageMismatch))?;
    let malformed = |_| ProgramError::from(GtxError::MalformedMessage);
    let (header, kind) = payload::parse_header(payload).map_err(malformed)?;
    if kind != KIND_ENROLMENT {
        return Err(GtxError::MalformedMessage.into());
    }
    let enrolment = Enrolment::parse(payload).map_err(malformed)?;
    let [hash, _] = bytemuck::cast::<[u8; 32], [[u8; 16]; 2]>(sys::sha256(&[payload]));
    Ok(Signed {
        device_key: verified.key,
        network_id: header.network_id,
        meter_id: header.meter_id,
        window: Window::new(enrolment.window),
        export_wh: Wh::new(enrolment.export_wh),
        import_wh: Wh::new(enrolment.import_wh),
        enrolment,
        hash,
    })
}

/// Checks the rules of every enrolment: a sound key, this network, this zone, and registers in range. The window has begun and
/// is at most 96 windows past.
pub fn check_message(signed: &Signed, config: &Config, zone: &Zone) -> ProgramResult {
    if keys::is_small_order(&signed.device_key) {
        return Err(GtxError::SmallOrderKey.into());
    }
    if signed.network_id != config.network_id {
        return Err(GtxError::WrongNetwork.into());
    }
    if signed.enrolment.zone != zone.zone {
        return Err(GtxError::ZoneMismatch.into());
    }
    if (signed.import_wh.get() | signed.export_wh.get()) >> 63 != 0 {
        return Err(GtxError::MalformedMessage.into()); // every later total continues from these
    }
    let (now, window) = (time::now()?, signed.window);
    let too_old = config.development != 1 && window.plus(time::DAY_WINDOWS) < time::window_at(now);
    if too_old || !time::has_begun(window, now) {
        return Err(GtxError::EnrolmentWindowOutOfRange.into());
    }
    Ok(())
}
