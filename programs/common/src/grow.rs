//! Creates an account larger than the 10,240 bytes that one instruction may add. The client sends the same instruction once for
//! each step. Before the last step the account has no discriminator and another size, so no proof accepts it as its type.

use pinocchio::{
    AccountView, Address, Resize,
    account::MAX_PERMITTED_DATA_INCREASE,
    error::ProgramError,
    sysvars::{Sysvar, rent::Rent},
};
use pinocchio_system::instructions::Transfer;

use crate::{GtxError, accounts::Payer, checks, ids, pda};

/// Returns how often a client must send the creating instruction for an account of `full` bytes.
pub const fn steps(full: usize) -> usize {
    full.div_ceil(MAX_PERMITTED_DATA_INCREASE)
}

/// Returns the bytes of the account after the next step. None when it has all of them.
pub const fn next_size(present: usize, full: usize) -> Option<usize> {
    if present >= full {
        return None;
    }
    let next = present.saturating_add(MAX_PERMITTED_DATA_INCREASE);
    Some(if next < full { next } else { full })
}

/// Performs the next step: creates the account, or extends it and adds the rent. Returns the bump after the last step, else
/// None. The account then has `full` zero bytes and needs its discriminator. AccountNotWritable, AccountKeyMismatch for another
/// address, AccountAlreadyInitialized for an account that has all its steps.
pub fn step(
    view: &mut AccountView,
    payer: Payer,
    program: &Address,
    seeds: &[&[u8]],
    full: usize,
) -> Result<Option<u8>, ProgramError> {
    let next = next_size(view.data_len(), full).ok_or(ProgramError::from(GtxError::AccountAlreadyInitialized))?;
    let bump = if view.owned_by(&ids::SYSTEM) {
        pda::create(view, payer, program, seeds, next)?
    } else {
        let bump = pda::check(view, program, seeds)?;
        extend(view, payer, program, next)?;
        bump
    };
    Ok((next == full).then_some(bump))
}

/// Extends a started account of this program to `next` bytes.
fn extend(view: &mut AccountView, payer: Payer, program: &Address, next: usize) -> Result<(), ProgramError> {
    checks::writable(view)?;
    if !view.owned_by(program) {
        return Err(GtxError::AccountOwnerMismatch.into());
    }
    let is_started = view.try_borrow()?.first_chunk::<8>() == Some(&[0; 8]);
    if !is_started {
        return Err(GtxError::AccountAlreadyInitialized.into());
    }
    let missing = Rent::get()?.try_minimum_balance(next)?.saturating_sub(view.lamports());
    if missing > 0 {
        Transfer { from: &payer, to: view, lamports: missing }.invoke()?;
    }
    view.resize(next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn plan(full: usize) -> Vec<usize> {
        core::iter::successors(next_size(0, full), |size| next_size(*size, full)).collect()
    }

    #[test]
    fn no_step_adds_more_than_the_runtime_allows() {
        for full in [1, 10_239, 10_240, 10_241, 14_400, 20_480, 65_601, 262_209] {
            let sizes = plan(full);
            assert_eq!(sizes.len(), steps(full), "{full} bytes");
            assert_eq!(sizes.last(), Some(&full));
            let mut before = 0;
            for size in sizes {
                assert!(size > before && size - before <= MAX_PERMITTED_DATA_INCREASE, "{before} to {size}");
                before = size;
            }
        }
    }

    #[test]
    fn an_account_that_has_all_its_bytes_takes_no_step() {
        assert_eq!((next_size(14_400, 14_400), next_size(14_401, 14_400), next_size(0, 0)), (None, None, None));
        assert_eq!(plan(14_400), [10_240, 14_400]);
    }
}
