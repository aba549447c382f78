//! Calls into Token-2022 and the associated token program.

use gtx_common::{
    BaseUnits, GtxError, ids,
    layout::energy::{DECIMALS, TokenConfig},
};
use pinocchio::{
    AccountView, Address, ProgramResult,
    cpi::{Seed, Signer, invoke, invoke_signed},
    error::ProgramError,
    instruction::{InstructionAccount, InstructionView},
};

pub const NAME: &[u8; 17] = b"GridTokenX Energy";
pub const SYMBOL: &[u8; 3] = b"GXT";

/// A mint with the metadata-pointer extension: base padded to an account's 165 bytes, account type, one TLV entry of 64.
pub const MINT_BYTES: usize = 165 + 1 + 4 + 64;
/// Bytes that the metadata will add: TLV head, update authority, mint, three strings with their lengths, empty further fields.
pub const METADATA_BYTES: usize = 4 + 32 + 32 + 4 + NAME.len() + 4 + SYMBOL.len() + 4 + 4;

/// Seed of the mint authority.
pub const MINT_AUTHORITY: &[u8] = b"mint_authority";

/// Points the mint's metadata at the mint itself; nobody can change that.
pub fn initialize_metadata_pointer(mint: &AccountView) -> ProgramResult {
    let mut data = [0u8; 66];
    let (head, address) = data.split_at_mut(34);
    head.copy_from_slice(&{
        let mut bytes = [0u8; 34];
        bytes[0] = 39;
        bytes
    });
    address.copy_from_slice(mint.address().as_array());
    let accounts = [InstructionAccount::writable(mint.address())];
    invoke(&InstructionView { program_id: &ids::TOKEN_2022, accounts: &accounts, data: &data }, &[mint])
}

/// InitializeMint2: 6 decimals, no freeze authority.
pub fn initialize_mint(mint: &AccountView, authority: &Address) -> ProgramResult {
    let mut data = [0u8; 35];
    data[0] = 20;
    data[1] = DECIMALS;
    data[2..34].copy_from_slice(authority.as_array());
    let accounts = [InstructionAccount::writable(mint.address())];
    invoke(&InstructionView { program_id: &ids::TOKEN_2022, accounts: &accounts, data: &data }, &[mint])
}

/// Writes name and symbol into the mint. The update authority is the mint authority, which never updates.
pub fn initialize_metadata(mint: &AccountView, authority: &AccountView, bump: u8) -> ProgramResult {
    /// First 8 bytes of SHA-256("spl_token_metadata_interface:initialize_account").
    const TAG: [u8; 8] = gtx_common::discriminator("spl_token_metadata_interface:", "initialize_account").to_le_bytes();
    let mut data = [0u8; 8 + 4 + NAME.len() + 4 + SYMBOL.len() + 4];
    data[..8].copy_from_slice(&TAG);
    data[8] = NAME.len() as u8;
    data[12..29].copy_from_slice(NAME);
    data[29] = SYMBOL.len() as u8;
    data[33..36].copy_from_slice(SYMBOL); // the empty URI's length follows
    let accounts = [
        InstructionAccount::writable(mint.address()),
        InstructionAccount::readonly(authority.address()),
        InstructionAccount::readonly(mint.address()),
        InstructionAccount::readonly_signer(authority.address()),
    ];
    let bump = [bump];
    let seeds = [Seed::from(MINT_AUTHORITY), Seed::from(&bump)];
    invoke_signed(
        &InstructionView { program_id: &ids::TOKEN_2022, accounts: &accounts, data: &data },
        &[mint, authority, mint, authority],
        &[Signer::from(&seeds)],
    )
}

/// Returns the associated token account of `wallet`.
pub fn associated(wallet: &Address, mint: &Address) -> Result<Address, ProgramError> {
    Address::try_find_program_address(
        &[wallet.as_array(), ids::TOKEN_2022.as_array(), mint.as_array()],
        &ids::ASSOCIATED_TOKEN,
    )
    .map(|(address, _)| address)
    .ok_or(GtxError::AccountKeyMismatch.into())
}

/// Creates the vault as the associated account of its authority. The call is idempotent: somebody may have created it before.
pub fn create_vault(
    payer: &AccountView,
    vault: &AccountView,
    authority: &AccountView,
    mint: &AccountView,
    system: &AccountView,
    token: &AccountView,
) -> ProgramResult {
    let accounts = [
        InstructionAccount::writable_signer(payer.address()),
        InstructionAccount::writable(vault.address()),
        InstructionAccount::readonly(authority.address()),
        InstructionAccount::readonly(mint.address()),
        InstructionAccount::readonly(system.address()),
        InstructionAccount::readonly(token.address()),
    ];
    invoke(
        &InstructionView { program_id: &ids::ASSOCIATED_TOKEN, accounts: &accounts, data: &[1] },
        &[payer, vault, authority, mint, system, token],
    )
}

/// Mints `amount` to `target`, signed by the mint authority.
pub fn mint_to(
    config: &TokenConfig,
    mint: &AccountView,
    target: &AccountView,
    authority: &AccountView,
    amount: BaseUnits,
) -> ProgramResult {
    let mut data = [7u8, 0, 0, 0, 0, 0, 0, 0, 0];
    data[1..].copy_from_slice(&amount.get().to_le_bytes());
    let accounts = [
        InstructionAccount::writable(mint.address()),
        InstructionAccount::writable(target.address()),
        InstructionAccount::readonly_signer(authority.address()),
    ];
    let bump = [config.mint_authority_bump];
    let seeds = [Seed::from(MINT_AUTHORITY), Seed::from(&bump)];
    invoke_signed(
        &InstructionView { program_id: &ids::TOKEN_2022, accounts: &accounts, data: &data },
        &[mint, target, authority],
        &[Signer::from(&seeds)],
    )
}

/// Burns `amount` from `source`. Its owner signs.
pub fn burn(source: &AccountView, mint: &AccountView, owner: &AccountView, amount: BaseUnits) -> ProgramResult {
    let mut data = [8u8, 0, 0, 0, 0, 0, 0, 0, 0];
    data[1..].copy_from_slice(&amount.get().to_le_bytes());
    let accounts = [
        InstructionAccount::writable(source.address()),
        InstructionAccount::writable(mint.address()),
        InstructionAccount::readonly_signer(owner.address()),
    ];
    invoke(&InstructionView { program_id: &ids::TOKEN_2022, accounts: &accounts, data: &data }, &[source, mint, owner])
}
