//! register_meter: records a meter from a message that its own key signed [wire §4.5]. The zone's installer or utility sends
//! it. The Ed25519 precompile verifies the signature in the instruction just before. The record has no slot and no limits
//! before confirm_meter. Until then it can be registered anew.

use bytemuck::Zeroable;
use gtx_common::{
    GtxError,
    accounts::{InstructionsSysvar, Optional, Payer, Signer, SystemProgram, Writable},
    args::Args,
    checks::{self, Account, same_key},
    ids,
    layout::registry::{
        Config, NO_PAGE, NO_SLOT, Point, ROLE_INSTALLER, ROLE_UTILITY_OPERATOR, STATUS_ACTIVE, User, Zone,
    },
    pda,
};
use gtx_wire::payload::Enrolment;
use pinocchio::{AccountView, Address, ProgramResult, account::Ref, error::ProgramError};

use crate::{
    enrolment,
    record::{self, Record},
};

gtx_common::accounts! {
    /// The accounts of register_meter.
    struct Accounts<'a> {
        /// Zone.utility, or a user of the zone with role installer or utility operator.
        authority: Signer<'a>,
        payer: Payer<'a>,
        config: Ref<'a, Config>,
        /// The zone that the meter belongs to.
        zone: Ref<'a, Zone>,
        /// The authority as a user of the zone; the utility itself omits it.
        authority_user: Optional<'a, User>,
        /// The owner that the message names, as a user of the zone.
        owner_user: Ref<'a, User>,
        /// The connection point, which is created when it is new.
        point: Writable<'a>,
        /// The record. The instruction creates it, unless an unconfirmed record exists.
        meter: Writable<'a>,
        instructions: InstructionsSysvar<'a>,
        system_program: SystemProgram<'a>,
    }
}

impl<'a> Accounts<'a> {
    /// InvalidAuthority, AccountKeyMismatch, ZoneMismatch, UserNotActive for a signer who may not register here.
    #[inline(always)]
    pub fn load(_program: &Address, accounts: &'a mut [AccountView]) -> Result<Self, ProgramError> {
        let accounts = Self::prove(accounts)?;
        check_authority(accounts.authority, accounts.authority_user, &accounts.zone)?;
        Ok(accounts)
    }
}

/// Checks that the signer is the utility itself, or an active installer or operator of the zone.
fn check_authority(authority: Signer, user: Optional<User>, zone: &Zone) -> ProgramResult {
    let signer = authority.address().as_array();
    if same_key(&zone.utility, signer) {
        return Ok(());
    }
    let user = user.load()?;
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

/// Checks that the owner is a registered user of this zone, and that the key is the meter's first one.
fn check_new(user: &User, enrolment: &Enrolment, zone: &Zone) -> ProgramResult {
    if enrolment.key_epoch != 0 {
        return Err(GtxError::KeyEpochMismatch.into());
    }
    if !same_key(&user.wallet, &enrolment.owner) {
        return Err(GtxError::AccountKeyMismatch.into());
    }
    if user.zone != zone.zone {
        return Err(GtxError::ZoneMismatch.into());
    }
    if user.status == STATUS_ACTIVE { Ok(()) } else { Err(GtxError::UserNotActive.into()) }
}

/// Creates the point when it is new. Only confirm_meter gives it a live meter, so no registration can occupy it.
fn find_point(
    point: &mut AccountView,
    payer: Payer,
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

#[inline(always)]
pub fn process(program_id: &Address, accounts: Accounts, data: &[u8]) -> ProgramResult {
    let mut args = Args(data);
    let commitment = *args.bytes::<32>()?;
    args.end()?;
    let Accounts { authority, payer, config, zone, owner_user, mut point, mut meter, instructions, .. } = accounts;
    let signed = enrolment::signed(instructions)?;
    enrolment::check_message(&signed, &config, &zone)?;
    check_new(&owner_user, &signed.enrolment, &zone)?;
    find_point(&mut point, payer, program_id, zone.zone, &commitment)?;

    let installer = authority.address().as_array();
    let bump = record::find(&mut meter, payer, program_id, &signed.meter_id, installer, &zone)?;
    let record = Record { signed: &signed, zone: zone.zone, bump };
    record.write(&mut meter, point.address().as_array(), installer)?;
    record.announce(NO_PAGE, NO_SLOT);
    Ok(())
}
