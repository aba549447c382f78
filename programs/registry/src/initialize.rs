//! initialize: creates Config once. Only the program's upgrade authority may, so that nobody can be first by chance.

use bytemuck::Zeroable;
use gtx_common::{
    GtxError,
    accounts::{Payer, Signer, SystemProgram, Unchecked, Writable},
    args::Args,
    checks::{self, Account, same_key},
    events::Initialized,
    ids,
    layout::registry::Config,
    pda, sys,
};
use pinocchio::{AccountView, Address, ProgramResult, error::ProgramError};

/// State tags of the upgradeable loader.
const LOADER_PROGRAM: u32 = 2;
const LOADER_PROGRAM_DATA: u32 = 3;

gtx_common::accounts! {
    /// The accounts of initialize.
    struct Accounts<'a> {
        /// The program's upgrade authority.
        upgrade_authority: Signer<'a>,
        payer: Payer<'a>,
        /// The new Config. Its creation proves the address.
        config: Writable<'a>,
        /// This program's own account, which names its ProgramData account.
        program: Unchecked<'a>,
        /// The ProgramData account, which names the upgrade authority.
        program_data: Unchecked<'a>,
        system_program: SystemProgram<'a>,
    }
}

impl<'a> Accounts<'a> {
    /// NotUpgradeAuthority for another signer, AccountKeyMismatch and AccountOwnerMismatch for another program's accounts.
    #[inline(always)]
    pub fn load(program: &Address, accounts: &'a mut [AccountView]) -> Result<Self, ProgramError> {
        let accounts = Self::prove(accounts)?;
        let named = upgrade_authority(program, &accounts.program, &accounts.program_data)?;
        if !same_key(&named, accounts.upgrade_authority.address().as_array()) {
            return Err(GtxError::NotUpgradeAuthority.into());
        }
        Ok(accounts)
    }
}

/// Returns the upgrade authority of this program, from its account and its ProgramData account. NotUpgradeAuthority when there
/// is none.
fn upgrade_authority(
    program_id: &Address,
    program: &AccountView,
    program_data: &AccountView,
) -> Result<[u8; 32], ProgramError> {
    checks::key(program, program_id)?;
    for view in [program, program_data] {
        if !view.owned_by(&ids::UPGRADEABLE_LOADER) {
            return Err(GtxError::AccountOwnerMismatch.into());
        }
    }
    let program = program.try_borrow()?;
    let mut fields = Args(&program);
    if fields.u32()? != LOADER_PROGRAM || !same_key(fields.bytes::<32>()?, program_data.address().as_array()) {
        return Err(GtxError::AccountKeyMismatch.into());
    }
    let data = program_data.try_borrow()?;
    let mut fields = Args(&data);
    if fields.u32()? != LOADER_PROGRAM_DATA {
        return Err(GtxError::AccountTypeMismatch.into());
    }
    let _deployed_in_slot = fields.u64()?;
    if fields.u8()? != 1 {
        return Err(GtxError::NotUpgradeAuthority.into()); // immutable: nobody may
    }
    Ok(*fields.bytes::<32>()?)
}

#[inline(always)]
pub fn process(program_id: &Address, accounts: Accounts, data: &[u8]) -> ProgramResult {
    let mut args = Args(data);
    let authority = *args.bytes::<32>()?;
    let genesis_hash = *args.bytes::<32>()?;
    let salt = *args.bytes::<16>()?;
    let development = args.bool()?;
    args.end()?;

    if same_key(&authority, &[0; 32]) {
        return Err(GtxError::KeyIsZero.into());
    }

    let hash = sys::sha256(&[&genesis_hash, ids::ORACLE.as_array(), &salt]);
    let [a, b, c, d, e, f, g, h, ..] = hash;
    let network_id = [a, b, c, d, e, f, g, h];
    let Accounts { payer, mut config, .. } = accounts;
    let bump = pda::create(&mut config, payer, program_id, &[b"config"], size_of::<Config>())?;
    pda::fill(
        &mut config,
        &Config {
            discriminator: Config::DISCRIMINATOR,
            authority,
            salt,
            network_id,
            genesis_hash,
            bump,
            development: u8::from(development),
            ..Config::zeroed()
        },
    )?;
    Initialized::emit(authority, network_id, u8::from(development));
    Ok(())
}
