//! create_zone: a zone without attestors; nothing can be attested in it before announce_attestors.

use bytemuck::Zeroable;
use gtx_common::{
    GtxError,
    args::Args,
    caps::MAX_CAPACITY_W,
    checks::{self, Account, same_key},
    events::ZoneCreated,
    ids,
    layout::registry::{Config, Zone},
    pda,
};
use pinocchio::{AccountView, Address, ProgramResult};

pub fn process(program_id: &Address, accounts: &mut [AccountView], data: &[u8]) -> ProgramResult {
    let mut args = Args(data);
    let number = args.u16()?;
    let utility = *args.bytes::<32>()?;
    let capacity_w = args.u64()?;
    args.end()?;

    let [authority, payer, config, zone, system, ..] = accounts else {
        return Err(GtxError::MissingAccount.into());
    };
    checks::signer(authority)?;
    checks::payer(payer)?;
    checks::key(system, &ids::SYSTEM)?;
    if !same_key(&checks::load::<Config>(config)?.authority, authority.address().as_array()) {
        return Err(GtxError::InvalidAuthority.into());
    }

    if same_key(&utility, &[0; 32]) {
        return Err(GtxError::KeyIsZero.into());
    }
    if capacity_w > MAX_CAPACITY_W {
        return Err(GtxError::LimitOutOfRange.into());
    }

    let bump = pda::create(zone, payer, program_id, &[b"zone", &number.to_le_bytes()], size_of::<Zone>())?;
    pda::fill(
        zone,
        &Zone { discriminator: Zone::DISCRIMINATOR, zone: number, bump, capacity_w, utility, ..Zone::zeroed() },
    )?;
    ZoneCreated::emit(number, utility, capacity_w);
    Ok(())
}
