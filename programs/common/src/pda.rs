//! Creates the programs' accounts. Later instructions recognise such an account by owner, type and the keys in it.

use bytemuck::Pod;
use pinocchio::{
    AccountView, Address,
    cpi::{Seed, Signer},
    error::ProgramError,
};
use pinocchio_system::create_account_with_minimum_balance_signed;

use crate::{
    GtxError,
    accounts::Payer,
    checks::{self, Account},
    ids,
};

/// Bounds the seeds of an address, without the bump.
const MAX_SEEDS: usize = 3;

/// Checks that `view` has the address that `seeds` give under `program`. Returns the bump.
#[inline(never)]
pub fn check(view: &AccountView, program: &Address, seeds: &[&[u8]]) -> Result<u8, ProgramError> {
    let (address, bump) =
        Address::try_find_program_address(seeds, program).ok_or(ProgramError::from(GtxError::AccountKeyMismatch))?;
    checks::key(view, &address)?;
    Ok(bump)
}

/// Creates `view` with `space` zero bytes, owned by `program`. `payer` pays the rent. Returns the bump. Lamports that somebody
/// sent to the address beforehand do not hinder the creation.
#[inline(never)]
pub fn create(
    view: &mut AccountView,
    payer: Payer,
    program: &Address,
    seeds: &[&[u8]],
    space: usize,
) -> Result<u8, ProgramError> {
    create_for(view, payer, program, program, seeds, space)
}

/// Creates `view` for another program `owner`, which will fill it. Returns the bump.
#[inline(never)]
pub fn create_for(
    view: &mut AccountView,
    payer: Payer,
    program: &Address,
    owner: &Address,
    seeds: &[&[u8]],
    space: usize,
) -> Result<u8, ProgramError> {
    checks::writable(view)?;
    let bump = check(view, program, seeds)?;
    if !view.owned_by(&ids::SYSTEM) || !view.is_data_empty() {
        return Err(GtxError::AccountAlreadyInitialized.into());
    }
    let bump_seed = [bump];
    let mut signing: [Seed; MAX_SEEDS + 1] = core::array::from_fn(|_| Seed::from(&[0u8; 0]));
    let parts = seeds.iter().copied().chain([bump_seed.as_slice()]);
    let mut count = 0usize;
    for (target, part) in signing.iter_mut().zip(parts) {
        *target = Seed::from(part);
        count = count.saturating_add(1);
    }
    let used = signing.get(..count).ok_or(ProgramError::from(GtxError::ArithmeticOverflow))?;
    create_account_with_minimum_balance_signed(view, space, owner, &payer, None, &[Signer::from(used)])?;
    Ok(bump)
}

/// Writes a new account's content. `value` must contain the discriminator.
pub fn fill<T: Account + Pod>(view: &mut AccountView, value: &T) -> Result<(), ProgramError> {
    let mut data = view.try_borrow_mut()?;
    let target = data.get_mut(..size_of::<T>()).ok_or(ProgramError::from(GtxError::AccountTypeMismatch))?;
    target.copy_from_slice(bytemuck::bytes_of(value));
    Ok(())
}

/// Writes the discriminator of a new, zeroed account that is too large to be copied. From then on it can be loaded.
pub fn fill_head(view: &mut AccountView, discriminator: u64) -> Result<(), ProgramError> {
    let mut data = view.try_borrow_mut()?;
    let head = data.first_chunk_mut::<8>().ok_or(ProgramError::from(GtxError::AccountTypeMismatch))?;
    *head = discriminator.to_le_bytes();
    Ok(())
}
