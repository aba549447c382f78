//! announce_attestors: names the next set of oracles that speak for a zone [chain §7.9]. It comes into force 96 windows later,
//! so that the zone can notice a stolen authority and cancel. A zone's first set is in force at once: it displaces nobody.

use gtx_common::{
    GtxError, Window,
    accounts::Signer,
    args::Args,
    checks::same_key,
    events::{AttestorsAnnounced, AttestorsSet},
    layout::registry::{Config, MAX_ATTESTORS, Zone},
    time,
};
use pinocchio::{
    AccountView, Address, ProgramResult,
    account::{Ref, RefMut},
    error::ProgramError,
};

gtx_common::accounts! {
    /// The accounts of announce_attestors.
    struct Accounts<'a> {
        /// Config.authority.
        authority: Signer<'a>,
        config: Ref<'a, Config>,
        /// The zone that gets the set.
        zone: RefMut<'a, Zone>,
    }
}

impl<'a> Accounts<'a> {
    /// InvalidAuthority for another signer than Config.authority.
    #[inline(always)]
    pub fn load(_program: &Address, accounts: &'a mut [AccountView]) -> Result<Self, ProgramError> {
        let accounts = Self::prove(accounts)?;
        if !same_key(&accounts.config.authority, accounts.authority.address().as_array()) {
            return Err(GtxError::InvalidAuthority.into());
        }
        Ok(accounts)
    }
}

/// A set of 1 to 7 distinct keys that are not zero, with a threshold that they can reach.
struct Set {
    threshold: u8,
    count: u8,
    keys: [[u8; 32]; MAX_ATTESTORS],
}

/// Reads a set. InvalidAttestorSet for one that is no `Set`, or whose threshold is below `min_threshold`.
fn parse(data: &[u8], min_threshold: u8) -> Result<Set, ProgramError> {
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
    if threshold < min_threshold || threshold > count {
        return Err(GtxError::InvalidAttestorSet.into());
    }
    Ok(Set { threshold, count, keys })
}

#[inline(always)]
pub fn process(_program: &Address, accounts: Accounts, data: &[u8]) -> ProgramResult {
    let Accounts { config, mut zone, .. } = accounts;
    let set = parse(data, if config.development == 1 { 1 } else { 2 })?;
    let window = time::window_at(time::now()?);
    zone.announced_attestors = set.keys;
    zone.announced_count = set.count;
    zone.announced_threshold = set.threshold;
    zone.announced_window = window;
    if zone.epoch == 0 {
        return install(&mut zone, window);
    }
    AttestorsAnnounced::emit(zone.zone, set.threshold, set.count, window);
    Ok(())
}

/// Puts the announced set in force. The previous set stays on record.
pub fn install(zone: &mut Zone, window: Window) -> ProgramResult {
    zone.previous_attestors = zone.attestors;
    zone.previous_count = zone.attestor_count;
    zone.previous_threshold = zone.threshold;
    zone.attestors = zone.announced_attestors;
    zone.attestor_count = zone.announced_count;
    zone.threshold = zone.announced_threshold;
    zone.changed_window = window;
    zone.epoch = zone.epoch.checked_add(1).ok_or(ProgramError::from(GtxError::ArithmeticOverflow))?;
    clear(zone);
    AttestorsSet::emit(zone.zone, zone.epoch, zone.threshold, zone.attestor_count);
    Ok(())
}

/// Deletes the announcement.
pub fn clear(zone: &mut Zone) {
    zone.announced_attestors = [[0; 32]; MAX_ATTESTORS];
    zone.announced_count = 0;
    zone.announced_threshold = 0;
    zone.announced_window = Window::UNSET;
}
