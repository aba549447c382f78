//! initialize: the mint and the pool vault. Nothing in it can be chosen, so anyone may be first.

use bytemuck::Zeroable;
use gtx_common::{
    GtxError,
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

/// The mint account, with the rent of the metadata that Token-2022 will add to it.
#[inline(never)]
fn create_mint(mint: &mut AccountView, payer: &AccountView, program_id: &Address) -> Result<u8, ProgramError> {
    let bump = pda::create_for(mint, payer, program_id, &ids::TOKEN_2022, &[b"mint"], token::MINT_BYTES)?;
    let full = Rent::get()?.try_minimum_balance(token::MINT_BYTES.saturating_add(token::METADATA_BYTES))?;
    let missing = full.saturating_sub(mint.lamports());
    if missing > 0 {
        Transfer { from: payer, to: mint, lamports: missing }.invoke()?;
    }
    Ok(bump)
}

pub fn process(program_id: &Address, accounts: &mut [AccountView], data: &[u8]) -> ProgramResult {
    Args(data).end()?;
    let [payer, config, mint, authority, vault_authority, vault, token_program, associated_program, system, ..] =
        accounts
    else {
        return Err(GtxError::MissingAccount.into());
    };
    checks::payer(payer)?;
    checks::writable(vault)?;
    checks::key(token_program, &ids::TOKEN_2022)?;
    checks::key(associated_program, &ids::ASSOCIATED_TOKEN)?;
    checks::key(system, &ids::SYSTEM)?;
    let mint_authority_bump = pda::check(authority, program_id, &[token::MINT_AUTHORITY])?;
    pda::check(vault_authority, &ids::TRADING, &[b"vault_authority"])?;
    checks::key(vault, &token::associated(vault_authority.address(), mint.address())?)?;

    let bump = pda::create(config, payer, program_id, &[b"config"], size_of::<TokenConfig>())?;
    let mint_bump = create_mint(mint, payer, program_id)?;
    token::initialize_metadata_pointer(mint)?;
    token::initialize_mint(mint, authority.address())?;
    token::initialize_metadata(mint, authority, mint_authority_bump)?;
    token::create_vault(payer, vault, vault_authority, mint, system, token_program)?;
    let (mint, vault) = (*mint.address().as_array(), *vault.address().as_array());
    pda::fill(
        config,
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
