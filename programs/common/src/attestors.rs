//! Finds the attestors of a zone among the signers of a transaction.

use pinocchio::{AccountView, error::ProgramError};

use crate::{
    GtxError,
    checks::{self, same_key},
    layout::registry::Zone,
};

/// Returns the bitmap of the zone's attestors among `signers`, each counted once. They are at least the zone's threshold.
/// AccountNotSigner, UnknownAttestor, ThresholdNotMet.
pub fn quorum(zone: &Zone, signers: &[AccountView]) -> Result<u8, ProgramError> {
    let set = zone.attestors.get(..usize::from(zone.attestor_count)).unwrap_or(&[]);
    let mut bitmap = 0u8;
    for signer in signers {
        checks::signer(signer)?;
        let place = set.iter().position(|key| same_key(key, signer.address().as_array()));
        bitmap |= 1u8 << (place.ok_or(ProgramError::from(GtxError::UnknownAttestor))? & 7);
    }
    if zone.threshold == 0 || bitmap.count_ones() < u32::from(zone.threshold) {
        return Err(GtxError::ThresholdNotMet.into());
    }
    Ok(bitmap)
}
