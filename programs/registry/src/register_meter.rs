//! register_meter: a meter enters with a message that its own key signed [wire §4.5], brought by the zone's installer
//! or utility. The signature is verified by the Ed25519 precompile in the instruction just before this one. The record waits for the
//! utility: it has no slot and no limits before confirm_meter. While it was never confirmed it can be registered anew.

use bytemuck::Zeroable;
use gtx_common::{
    GtxError,
    args::Args,
    checks::{self, Account, same_key},
    ed25519,
    events::MeterRegistered,
    ids,
    layout::registry::{
        ALG_ED25519, Config, Meter, NO_PAGE, NO_SLOT, Point, ROLE_INSTALLER, ROLE_UTILITY_OPERATOR, STATUS_ACTIVE,
        STATUS_CLOSED, STATUS_PENDING, User, Zone,
    },
    pda, sys, time,
};
use gtx_wire::{
    frame::{self, SIGNED_BYTES},
    keys,
    payload::{self, Enrolment},
};
use pinocchio::{
    AccountView, Address, ProgramResult,
    error::ProgramError,
    sysvars::instructions::{INSTRUCTIONS_ID, Instructions},
};

const KIND_ENROLMENT: u8 = 4;
pub(crate) const ROLE_POINT: u8 = 0;

/// The enrolment that a device signed.
pub(crate) struct Signed {
    pub(crate) device_key: [u8; 32],
    network_id: [u8; 8],
    pub(crate) meter_id: [u8; 16],
    pub(crate) enrolment: Enrolment,
    /// First 16 bytes of the payload's hash.
    hash: [u8; 16],
}

#[inline(never)]
pub(crate) fn signed(sysvar: &AccountView) -> Result<Signed, ProgramError> {
    checks::key(sysvar, &INSTRUCTIONS_ID)?;
    let verified = ed25519::previous::<SIGNED_BYTES>(&Instructions::try_from(sysvar)?)?;
    let payload =
        frame::payload_of(&verified.message).map_err(|_| ProgramError::from(GtxError::SignatureMessageMismatch))?;
    let malformed = |_| ProgramError::from(GtxError::MalformedMessage);
    let (header, kind) = payload::parse_header(payload).map_err(malformed)?;
    if kind != KIND_ENROLMENT {
        return Err(GtxError::MalformedMessage.into());
    }
    let enrolment = Enrolment::parse(payload).map_err(malformed)?;
    let [hash, _] = bytemuck::cast::<[u8; 32], [[u8; 16]; 2]>(sys::sha256(&[payload]));
    Ok(Signed { device_key: verified.key, network_id: header.network_id, meter_id: header.meter_id, enrolment, hash })
}

/// The utility itself, or an active installer or operator of the zone.
fn check_authority(authority: &AccountView, user: &AccountView, zone: &Zone) -> ProgramResult {
    let signer = authority.address().as_array();
    if same_key(&zone.utility, signer) {
        return Ok(());
    }
    let user = checks::load::<User>(user)?;
    if !same_key(&user.wallet, signer) {
        return Err(GtxError::AccountKeyMismatch.into());
    }
    if user.zone != zone.zone {
        return Err(GtxError::ZoneMismatch.into());
    }
    if user.status != STATUS_ACTIVE {
        return Err(GtxError::UserNotActive.into());
    }
    match user.role {
        ROLE_INSTALLER | ROLE_UTILITY_OPERATOR => Ok(()),
        _ => Err(GtxError::InvalidAuthority.into()),
    }
}

pub(crate) fn check_message(signed: &Signed, config: &Config, zone: &Zone) -> ProgramResult {
    if keys::is_small_order(&signed.device_key) {
        return Err(GtxError::SmallOrderKey.into());
    }
    if signed.network_id != config.network_id {
        return Err(GtxError::WrongNetwork.into());
    }
    if signed.enrolment.zone != zone.zone {
        return Err(GtxError::ZoneMismatch.into());
    }
    if signed.enrolment.import_wh >> 63 != 0 || signed.enrolment.export_wh >> 63 != 0 {
        return Err(GtxError::MalformedMessage.into()); // every later total is counted from these
    }
    let (now, window) = (time::now()?, signed.enrolment.window);
    let too_old = config.development != 1 && window.saturating_add(time::DAY_WINDOWS) < time::window_at(now);
    if too_old || !time::has_begun(window, now) {
        return Err(GtxError::EnrolmentWindowOutOfRange.into());
    }
    Ok(())
}

/// The owner is a registered user of this zone, and the key is the meter's first one.
fn check_new(user: &AccountView, enrolment: &Enrolment, zone: &Zone) -> ProgramResult {
    if enrolment.key_epoch != 0 {
        return Err(GtxError::KeyEpochMismatch.into());
    }
    let user = checks::load::<User>(user)?;
    if !same_key(&user.wallet, &enrolment.owner) {
        return Err(GtxError::AccountKeyMismatch.into());
    }
    if user.zone != zone.zone {
        return Err(GtxError::ZoneMismatch.into());
    }
    if user.status == STATUS_ACTIVE { Ok(()) } else { Err(GtxError::UserNotActive.into()) }
}

/// Creates the point when it is new. Only confirm_meter gives it a live meter, so nobody can take it by registering.
fn find_point(
    point: &mut AccountView,
    payer: &AccountView,
    program_id: &Address,
    zone: u16,
    commitment: &[u8; 32],
) -> ProgramResult {
    if point.owned_by(&ids::SYSTEM) {
        let bump =
            pda::create(point, payer, program_id, &[b"point", &zone.to_le_bytes(), commitment], size_of::<Point>())?;
        let new = Point { discriminator: Point::DISCRIMINATOR, commitment: *commitment, zone, bump, ..Point::zeroed() };
        return pda::fill(point, &new);
    }
    let found = checks::load::<Point>(point)?;
    if found.zone != zone || !same_key(&found.commitment, commitment) {
        return Err(GtxError::AccountKeyMismatch.into());
    }
    Ok(())
}

/// Creates the record, or finds one that was never confirmed. Such a record may be written anew by the installer who wrote it or by
/// the utility, and by every installer once the utility has refused it. Returns the bump.
pub(crate) fn find_record(
    meter: &mut AccountView,
    payer: &AccountView,
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
    if found.confirmed_window != 0 || !is_open {
        return Err(GtxError::AccountAlreadyInitialized.into());
    }
    Ok(found.bump)
}

/// The zone is part of the address: no other zone can take a meter's id away.
fn seeds<'a>(zone: &'a [u8; 2], meter_id: &'a [u8; 16]) -> [&'a [u8]; 3] {
    [b"meter", zone, meter_id]
}

pub fn process(program_id: &Address, accounts: &mut [AccountView], data: &[u8]) -> ProgramResult {
    let mut args = Args(data);
    let commitment = *args.bytes::<32>()?;
    args.end()?;
    let [authority, payer, config, zone, user, owner_user, point, meter, sysvar, system, ..] = accounts else {
        return Err(GtxError::MissingAccount.into());
    };
    checks::signer(authority)?;
    checks::payer(payer)?;
    checks::writable(point)?;
    checks::writable(meter)?;
    checks::key(system, &ids::SYSTEM)?;
    let signed = signed(sysvar)?;
    let zone = checks::load::<Zone>(zone)?;
    check_authority(authority, user, &zone)?;
    check_message(&signed, &*checks::load::<Config>(config)?, &zone)?;
    check_new(owner_user, &signed.enrolment, &zone)?;
    find_point(point, payer, program_id, zone.zone, &commitment)?;

    let installer = authority.address().as_array();
    let bump = find_record(meter, payer, program_id, &signed.meter_id, installer, &zone)?;
    let record = Record { signed: &signed, zone: zone.zone, bump };
    record.write(meter, point.address().as_array(), installer)?;
    record.announce(NO_PAGE, NO_SLOT);
    Ok(())
}

/// A new record as its enrolment states it: pending, without limits and slot.
pub(crate) struct Record<'a> {
    pub(crate) signed: &'a Signed,
    pub(crate) zone: u16,
    pub(crate) bump: u8,
}

impl Record<'_> {
    #[inline(never)]
    pub(crate) fn write(&self, meter: &mut AccountView, point: &[u8; 32], installer: &[u8; 32]) -> ProgramResult {
        let Signed { device_key, meter_id, enrolment, hash, .. } = self.signed;
        let first_valid_window =
            enrolment.window.checked_add(1).ok_or(ProgramError::from(GtxError::ArithmeticOverflow))?;
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
                enrolment_window: enrolment.window,
                first_valid_window,
                key_epoch: enrolment.key_epoch,
                baseline_import_wh: enrolment.import_wh,
                baseline_export_wh: enrolment.export_wh,
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

    pub(crate) fn announce(&self, page: u32, slot: u16) {
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
            enrolment.window,
        );
    }
}
