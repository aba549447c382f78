//! register_user: gives a wallet a role in a zone. The identity record stays off chain; the account holds only a commitment to
//! it.

use bytemuck::Zeroable;
use gtx_common::{
    GtxError,
    accounts::{Payer, Signer, SystemProgram, Writable},
    args::Args,
    checks::{Account, same_key},
    events::UserRegistered,
    layout::registry::{Config, ROLE_OWNER, ROLE_UTILITY_OPERATOR, STATUS_ACTIVE, User, Zone},
    pda, time,
};
use pinocchio::{AccountView, Address, ProgramResult, account::Ref, error::ProgramError};

gtx_common::accounts! {
    /// The accounts of register_user.
    struct Accounts<'a> {
        /// Zone.utility or Config.authority.
        authority: Signer<'a>,
        payer: Payer<'a>,
        config: Ref<'a, Config>,
        /// The zone that the user belongs to.
        zone: Ref<'a, Zone>,
        /// The new user. Its creation proves the address.
        user: Writable<'a>,
        system_program: SystemProgram<'a>,
    }
}

impl<'a> Accounts<'a> {
    /// InvalidAuthority for any other signer.
    #[inline(always)]
    pub fn load(_program: &Address, accounts: &'a mut [AccountView]) -> Result<Self, ProgramError> {
        let accounts = Self::prove(accounts)?;
        let signer = accounts.authority.address().as_array();
        if !same_key(&accounts.config.authority, signer) && !same_key(&accounts.zone.utility, signer) {
            return Err(GtxError::InvalidAuthority.into());
        }
        Ok(accounts)
    }
}

#[inline(always)]
pub fn process(program_id: &Address, accounts: Accounts, data: &[u8]) -> ProgramResult {
    let mut args = Args(data);
    let wallet = *args.bytes::<32>()?;
    let commitment = *args.bytes::<32>()?;
    let role = args.u8()?;
    args.end()?;

    if !(ROLE_OWNER..=ROLE_UTILITY_OPERATOR).contains(&role) {
        return Err(GtxError::InvalidRole.into());
    }

    if same_key(&wallet, &[0; 32]) {
        return Err(GtxError::KeyIsZero.into());
    }

    let Accounts { payer, zone, mut user, .. } = accounts;
    // The zone is part of the address, so that no other zone can take a wallet.
    let seeds: [&[u8]; 3] = [b"user", &zone.zone.to_le_bytes(), &wallet];
    let bump = pda::create(&mut user, payer, program_id, &seeds, size_of::<User>())?;
    pda::fill(
        &mut user,
        &User {
            discriminator: User::DISCRIMINATOR,
            wallet,
            commitment,
            registered_window: time::window_at(time::now()?),
            zone: zone.zone,
            role,
            status: STATUS_ACTIVE,
            bump,
            ..User::zeroed()
        },
    )?;
    UserRegistered::emit(wallet, zone.zone, role);
    Ok(())
}
