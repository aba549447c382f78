//! register_meter: a meter enters with a message that its own key signed (wire format: enrolment), brought by the zone's installer
//! or utility. The signature is verified by the Ed25519 precompile in the instruction just before this one.

use bytemuck::Zeroable;
use gtx_common::{
    GtxError,
    args::Args,
    checks::{self, Account, same_key},
    ed25519,
    events::MeterRegistered,
    ids,
    layout::{
        oracle::SLOTS,
        registry::{
            ALG_ED25519, Config, Meter, NO_PAGE, NO_SLOT, Point, ROLE_INSTALLER, ROLE_UTILITY_OPERATOR, STATUS_ACTIVE,
            User, Zone,
        },
    },
    pda, time,
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

/// What the utility says about the meter; the rest comes from the signed message.
pub(crate) struct Limits {
    pub(crate) commitment: [u8; 32],
    pub(crate) export_w: u32,
    pub(crate) import_w: u32,
    pub(crate) register_step_wh: u32,
    pub(crate) tariff_class: u16,
}

/// The enrolment that a device signed.
pub(crate) struct Signed {
    pub(crate) device_key: [u8; 32],
    network_id: [u8; 8],
    pub(crate) meter_id: [u8; 16],
    pub(crate) enrolment: Enrolment,
}

fn parse(data: &[u8]) -> Result<Limits, ProgramError> {
    let mut args = Args(data);
    let limits = Limits {
        commitment: *args.bytes()?,
        export_w: args.u32()?,
        import_w: args.u32()?,
        register_step_wh: args.u32()?,
        tariff_class: args.u16()?,
    };
    args.end()?;
    Ok(limits)
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
    Ok(Signed { device_key: verified.key, network_id: header.network_id, meter_id: header.meter_id, enrolment })
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
    let (now, window) = (time::now()?, signed.enrolment.window);
    let too_old = config.development != 1 && window.saturating_add(time::DAY_WINDOWS) < time::window_at(now);
    if too_old || !time::has_begun(window, now) {
        return Err(GtxError::EnrolmentWindowOutOfRange.into());
    }
    Ok(())
}

fn check_owner(user: &AccountView, owner: &[u8; 32]) -> ProgramResult {
    let user = checks::load::<User>(user)?;
    if !same_key(&user.wallet, owner) {
        return Err(GtxError::AccountKeyMismatch.into());
    }
    if user.status == STATUS_ACTIVE { Ok(()) } else { Err(GtxError::UserNotActive.into()) }
}

/// The zone's next slot for a meter of role point; none for the others, which are evidence.
fn assign(zone: &mut Zone, role: u8) -> Result<(u32, u16), ProgramError> {
    let overflow = ProgramError::from(GtxError::ArithmeticOverflow);
    if role != ROLE_POINT {
        zone.evidence_count = zone.evidence_count.checked_add(1).ok_or(overflow)?;
        return Ok((NO_PAGE, NO_SLOT));
    }
    let number = zone.meter_count;
    const { assert!(SLOTS == 256) };
    let (page, slot) = (number >> 8, number & 0xff);
    zone.meter_count = number.checked_add(1).ok_or(overflow.clone())?;
    zone.page_count = page.checked_add(1).ok_or(overflow.clone())?;
    Ok((page, u16::try_from(slot).map_err(|_| overflow)?))
}

/// Creates the point when it is new; a meter of role point takes it.
fn take_point(
    point: &mut AccountView,
    payer: &AccountView,
    program_id: &Address,
    zone: u16,
    commitment: &[u8; 32],
    meter: Option<[u8; 16]>,
) -> ProgramResult {
    checks::writable(point)?;
    if point.owned_by(&ids::SYSTEM) {
        let bump =
            pda::create(point, payer, program_id, &[b"point", &zone.to_le_bytes(), commitment], size_of::<Point>())?;
        let new = Point { discriminator: Point::DISCRIMINATOR, commitment: *commitment, zone, bump, ..Point::zeroed() };
        pda::fill(point, &new)?;
    }
    let mut point = checks::load_mut::<Point>(point)?;
    if point.zone != zone || !same_key(&point.commitment, commitment) {
        return Err(GtxError::AccountKeyMismatch.into());
    }
    if let Some(meter_id) = meter {
        if point.meter_id != [0; 16] {
            return Err(GtxError::PointTaken.into());
        }
        point.meter_id = meter_id;
    }
    Ok(())
}

pub fn process(program_id: &Address, accounts: &mut [AccountView], data: &[u8]) -> ProgramResult {
    let limits = parse(data)?;
    let [authority, payer, config, zone_view, user, owner_user, point, meter, sysvar, system, ..] = accounts else {
        return Err(GtxError::MissingAccount.into());
    };
    checks::signer(authority)?;
    checks::payer(payer)?;
    checks::key(system, &ids::SYSTEM)?;
    let signed = signed(sysvar)?;
    let (zone, page, slot) = {
        let mut zone = checks::load_mut::<Zone>(zone_view)?;
        check_authority(authority, user, &zone)?;
        check_message(&signed, &*checks::load::<Config>(config)?, &zone)?;
        check_owner(owner_user, &signed.enrolment.owner)?;
        let (page, slot) = assign(&mut zone, signed.enrolment.role)?;
        (zone.zone, page, slot)
    };
    let takes = (signed.enrolment.role == ROLE_POINT).then_some(signed.meter_id);
    take_point(point, payer, program_id, zone, &limits.commitment, takes)?;

    let bump = pda::create(meter, payer, program_id, &[b"meter", &signed.meter_id], size_of::<Meter>())?;
    let record = Record { signed: &signed, limits: &limits, zone, page, slot, bump };
    record.write(meter, point.address().as_array(), authority.address().as_array())?;
    record.announce();
    Ok(())
}

pub(crate) struct Record<'a> {
    pub(crate) signed: &'a Signed,
    pub(crate) limits: &'a Limits,
    pub(crate) zone: u16,
    pub(crate) page: u32,
    pub(crate) slot: u16,
    pub(crate) bump: u8,
}

impl Record<'_> {
    #[inline(never)]
    pub(crate) fn write(&self, meter: &mut AccountView, point: &[u8; 32], installer: &[u8; 32]) -> ProgramResult {
        let Signed { device_key, meter_id, enrolment, .. } = self.signed;
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
                page: self.page,
                zone: self.zone,
                slot: self.slot,
                export_limit_w: self.limits.export_w,
                import_limit_w: self.limits.import_w,
                register_step_wh: self.limits.register_step_wh,
                enrolment_window: enrolment.window,
                first_valid_window,
                key_epoch: enrolment.key_epoch,
                baseline_import_wh: enrolment.import_wh,
                baseline_export_wh: enrolment.export_wh,
                tariff_class: self.limits.tariff_class,
                alg: ALG_ED25519,
                signer_level: u8::from(enrolment.device_signed),
                role: enrolment.role,
                source: enrolment.source,
                status: STATUS_ACTIVE,
                bump: self.bump,
                ..Meter::zeroed()
            },
        )
    }

    pub(crate) fn announce(&self) {
        let Signed { device_key, meter_id, enrolment, .. } = self.signed;
        MeterRegistered::emit(
            *meter_id,
            enrolment.owner,
            *device_key,
            self.zone,
            self.page,
            self.slot,
            enrolment.role,
            u8::from(enrolment.device_signed),
            enrolment.window,
        );
    }
}
