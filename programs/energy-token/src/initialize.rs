//! initialize: creates the mint and the pool vault. Anyone may send it: the sender can choose nothing in them.

use bytemuck::Zeroable;
use gtx_common::{
    accounts::{AssociatedToken, Payer, SystemProgram, Token2022, Unchecked, Writable},
    args::Args,
    checks::{self, Account},
    events::TokenInitialized,
    ids,
    layout::energy::TokenConfig,
    pda,
};
use pinocchio::{
    AccountView, Address, ProgramResult,
    error::ProgramError,
    sysvars::{Sysvar, rent::Rent},
};
use pinocchio_system::instructions::Transfer;

use crate::token;

gtx_common::accounts! {
    /// The accounts of initialize.
    struct Accounts<'a> {
        payer: Payer<'a>,
        /// The new TokenConfig. Its creation proves the address.
        token_config: Writable<'a>,
        /// The new mint. Its creation proves the address.
        mint: Writable<'a>,
        /// The PDA that signs for the mint. `process` proves the address, because it keeps the bump.
        mint_authority: Unchecked<'a>,
        /// The PDA of the trading program that owns the pool vault.
        vault_authority: Unchecked<'a>,
        /// The associated account of the vault authority.
        vault: Writable<'a>,
        token_program: Token2022<'a>,
        associated_token_program: AssociatedToken<'a>,
        system_program: SystemProgram<'a>,
    }
}

impl<'a> Accounts<'a> {
    /// AccountKeyMismatch for another vault or vault authority.
    #[inline(always)]
    pub fn load(_program: &Address, accounts: &'a mut [AccountView]) -> Result<Self, ProgramError> {
        let accounts = Self::prove(accounts)?;
        pda::check(&accounts.vault_authority, &ids::TRADING, &[b"vault_authority"])?;
        let vault = token::associated(accounts.vault_authority.address(), accounts.mint.address())?;
        checks::key(&accounts.vault, &vault)?;
        Ok(accounts)
    }
}

/// Creates the mint account, with the rent of the metadata that Token-2022 will add to it.
#[inline(never)]
fn create_mint(mint: &mut AccountView, payer: Payer, program_id: &Address) -> Result<u8, ProgramError> {
    let bump = pda::create_for(mint, payer, program_id, &ids::TOKEN_2022, &[b"mint"], token::MINT_BYTES)?;
    let full = Rent::get()?.try_minimum_balance(token::MINT_BYTES.saturating_add(token::METADATA_BYTES))?;
    let missing = full.saturating_sub(mint.lamports());
    if missing > 0 {
        Transfer { from: &payer, to: mint, lamports: missing }.invoke()?;
    }
    Ok(bump)
}

#[inline(always)]
pub fn process(program_id: &Address, accounts: Accounts, data: &[u8]) -> ProgramResult {
    Args(data).end()?;
    let Accounts { payer, token_config: mut config, mut mint, mint_authority: authority, .. } = accounts;
    let Accounts { vault_authority, vault, token_program, system_program: system, .. } = accounts;
    let mint_authority_bump = pda::check(&authority, program_id, &[token::MINT_AUTHORITY])?;
    let bump = pda::create(&mut config, payer, program_id, &[b"config"], size_of::<TokenConfig>())?;
    let mint_bump = create_mint(&mut mint, payer, program_id)?;
    token::initialize_metadata_pointer(&mint)?;
    token::initialize_mint(&mint, authority.address())?;
    token::initialize_metadata(&mint, &authority, mint_authority_bump)?;
    token::create_vault(&payer, &vault, &vault_authority, &mint, &system, &token_program)?;
    let (mint, vault) = (*mint.address().as_array(), *vault.address().as_array());
    pda::fill(
        &mut config,
        &TokenConfig {
            discriminator: TokenConfig::DISCRIMINATOR,
            mint,
            vault,
            vault_authority: *vault_authority.address().as_array(),
            bump,
            mint_bump,
            mint_authority_bump,
            ..TokenConfig::zeroed()
        },
    )?;
    TokenInitialized::emit(mint, vault);
    Ok(())
}
