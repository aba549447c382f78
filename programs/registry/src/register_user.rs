//! register_user: a wallet gets a role in a zone. The identity record stays off chain; here is only a commitment to it.

use bytemuck::Zeroable;
use gtx_common::{
    GtxError,
    args::Args,
    checks::{self, Account, same_key},
    events::UserRegistered,
    ids,
    layout::registry::{Config, ROLE_OWNER, ROLE_UTILITY_OPERATOR, STATUS_ACTIVE, User, Zone},
    pda, time,
};
use pinocchio::{AccountView, Address, ProgramResult};

pub fn process(program_id: &Address, accounts: &mut [AccountView], data: &[u8]) -> ProgramResult {
    let mut args = Args(data);
    let wallet = *args.bytes::<32>()?;
    let commitment = *args.bytes::<32>()?;
    let role = args.u8()?;
    args.end()?;

    let [authority, payer, config, zone, user, system, ..] = accounts else {
        return Err(GtxError::MissingAccount.into());
    };
    checks::signer(authority)?;
    checks::payer(payer)?;
    checks::key(system, &ids::SYSTEM)?;
    let (zone_number, allowed) = {
        let (config, zone) = (checks::load::<Config>(config)?, checks::load::<Zone>(zone)?);
        let signer = authority.address().as_array();
        (zone.zone, same_key(&config.authority, signer) || same_key(&zone.utility, signer))
    };
    if !allowed {
        return Err(GtxError::InvalidAuthority.into());
    }
    if !(ROLE_OWNER..=ROLE_UTILITY_OPERATOR).contains(&role) {
        return Err(GtxError::InvalidRole.into());
    }

    if same_key(&wallet, &[0; 32]) {
        return Err(GtxError::KeyIsZero.into());
    }

    // The zone is part of the address: no other zone can take a wallet away.
    let seeds: [&[u8]; 3] = [b"user", &zone_number.to_le_bytes(), &wallet];
    let bump = pda::create(user, payer, program_id, &seeds, size_of::<User>())?;
    pda::fill(
        user,
        &User {
            discriminator: User::DISCRIMINATOR,
            wallet,
            commitment,
            registered_window: time::window_at(time::now()?),
            zone: zone_number,
            role,
            status: STATUS_ACTIVE,
            bump,
            ..User::zeroed()
        },
    )?;
    UserRegistered::emit(wallet, zone_number, role);
    Ok(())
}
