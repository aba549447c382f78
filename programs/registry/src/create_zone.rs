//! create_zone: creates a zone without attestors. Nothing can be attested in it before announce_attestors.

use bytemuck::Zeroable;
use gtx_common::{
    GtxError,
    accounts::{Payer, Signer, SystemProgram, Writable},
    args::Args,
    caps::MAX_CAPACITY_W,
    checks::{Account, same_key},
    events::ZoneCreated,
    layout::registry::{Config, Zone},
    pda,
};
use pinocchio::{AccountView, Address, ProgramResult, account::Ref, error::ProgramError};

gtx_common::accounts! {
    /// The accounts of create_zone.
    struct Accounts<'a> {
        /// Config.authority.
        authority: Signer<'a>,
        payer: Payer<'a>,
        config: Ref<'a, Config>,
        /// The new zone. Its creation proves the address.
        zone: Writable<'a>,
        system_program: SystemProgram<'a>,
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

#[inline(always)]
pub fn process(program_id: &Address, accounts: Accounts, data: &[u8]) -> ProgramResult {
    let mut args = Args(data);
    let number = args.u16()?;
    let utility = *args.bytes::<32>()?;
    let capacity_w = args.u64()?;
    args.end()?;

    if same_key(&utility, &[0; 32]) {
        return Err(GtxError::KeyIsZero.into());
    }
    if capacity_w > MAX_CAPACITY_W {
        return Err(GtxError::LimitOutOfRange.into());
    }

    let Accounts { payer, mut zone, .. } = accounts;
    let bump = pda::create(&mut zone, payer, program_id, &[b"zone", &number.to_le_bytes()], size_of::<Zone>())?;
    pda::fill(
        &mut zone,
        &Zone { discriminator: Zone::DISCRIMINATOR, zone: number, bump, capacity_w, utility, ..Zone::zeroed() },
    )?;
    ZoneCreated::emit(number, utility, capacity_w);
    Ok(())
}
