//! set_zone_attestors: replaces the set of oracles that speak for a zone. The set before it is kept and stays at least a day, so
//! that a stolen authority cannot swap sets back and forth unnoticed.

use gtx_common::{
    GtxError,
    args::Args,
    checks::{self, same_key},
    events::AttestorsSet,
    layout::registry::{Config, MAX_ATTESTORS, Zone},
    time,
};
use pinocchio::{AccountView, ProgramResult, error::ProgramError};

/// Reads the set: 1 to 7 distinct non-zero keys, threshold from `least` to their number. InvalidAttestorSet.
fn parse(data: &[u8], least: u8) -> Result<(u8, u8, [[u8; 32]; MAX_ATTESTORS]), ProgramError> {
    let mut args = Args(data);
    let threshold = args.u8()?;
    let count = usize::try_from(args.u32()?).unwrap_or(usize::MAX);
    if count == 0 || count > MAX_ATTESTORS {
        return Err(GtxError::InvalidAttestorSet.into());
    }
    let mut keys = [[0; 32]; MAX_ATTESTORS];
    let mut seen: &[[u8; 32]] = &[];
    for place in 0..count {
        let key = *args.bytes::<32>()?;
        if same_key(&key, &[0; 32]) || seen.iter().any(|other| same_key(other, &key)) {
            return Err(GtxError::InvalidAttestorSet.into());
        }
        if let Some(target) = keys.get_mut(place) {
            *target = key;
        }
        seen = keys.get(..=place).unwrap_or(&[]);
    }
    args.end()?;
    let count = u8::try_from(count).unwrap_or(u8::MAX);
    if threshold < least || threshold > count {
        return Err(GtxError::InvalidAttestorSet.into());
    }
    Ok((threshold, count, keys))
}

pub fn process(accounts: &mut [AccountView], data: &[u8]) -> ProgramResult {
    let [authority, config, zone, ..] = accounts else {
        return Err(GtxError::MissingAccount.into());
    };
    checks::signer(authority)?;
    let config = checks::load::<Config>(config)?;
    if !same_key(&config.authority, authority.address().as_array()) {
        return Err(GtxError::InvalidAuthority.into());
    }
    let development = config.development == 1;
    let (threshold, count, keys) = parse(data, if development { 1 } else { 2 })?;

    let mut zone = checks::load_mut::<Zone>(zone)?;
    let window = time::window_at(time::now()?);
    if zone.epoch > 0 && !development && window < zone.changed_window.saturating_add(time::DAY_WINDOWS) {
        return Err(GtxError::AttestorSetLocked.into());
    }
    zone.previous_attestors = zone.attestors;
    zone.previous_count = zone.attestor_count;
    zone.previous_threshold = zone.threshold;
    zone.attestors = keys;
    zone.attestor_count = count;
    zone.threshold = threshold;
    zone.changed_window = window;
    zone.epoch = zone.epoch.checked_add(1).ok_or(ProgramError::from(GtxError::ArithmeticOverflow))?;
    AttestorsSet::emit(zone.zone, zone.epoch, threshold, count);
    Ok(())
}
