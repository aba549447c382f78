//! Proof of an account: owner, type, key, signature and writability, each checked once, in the context of an instruction.

use bytemuck::Pod;
use pinocchio::{
    AccountView, Address,
    account::{Ref, RefMut},
    error::ProgramError,
};

use crate::GtxError;

/// A zero-copy account: `repr(C)`, no implicit padding, an 8-byte discriminator first.
pub trait Account: Pod {
    const DISCRIMINATOR: u64;
    const OWNER: Address;
}

/// Returns true for equal keys. Four comparisons cost less than a system call.
#[inline(always)]
pub fn same_key(a: &[u8; 32], b: &[u8; 32]) -> bool {
    let (a, b): (&[[u8; 8]; 4], &[[u8; 8]; 4]) = (bytemuck::cast_ref(a), bytemuck::cast_ref(b));
    a.iter().zip(b).all(|(x, y)| u64::from_le_bytes(*x) == u64::from_le_bytes(*y))
}

#[inline(always)]
pub fn signer(view: &AccountView) -> Result<(), ProgramError> {
    if view.is_signer() { Ok(()) } else { Err(GtxError::AccountNotSigner.into()) }
}

#[inline(always)]
pub fn writable(view: &AccountView) -> Result<(), ProgramError> {
    if view.is_writable() { Ok(()) } else { Err(GtxError::AccountNotWritable.into()) }
}

/// Checks for a signer that pays, so the account must also be writable.
#[inline(always)]
pub fn payer(view: &AccountView) -> Result<(), ProgramError> {
    signer(view)?;
    writable(view)
}

#[inline(always)]
pub fn key(view: &AccountView, address: &Address) -> Result<(), ProgramError> {
    if view.address() == address { Ok(()) } else { Err(GtxError::AccountKeyMismatch.into()) }
}

/// Checks that the program of `T` owns the account. The comparison is `same_key`'s, which is cheaper than the runtime's call.
#[inline(always)]
fn owned<T: Account>(view: &AccountView) -> Result<(), ProgramError> {
    let is_owned = same_key(view.owner().as_array(), T::OWNER.as_array());
    if is_owned { Ok(()) } else { Err(GtxError::AccountOwnerMismatch.into()) }
}

/// Checks that the data has the size and the discriminator of `T`.
#[inline(always)]
fn typed<T: Account>(data: &[u8]) -> Result<(), ProgramError> {
    let found = data.first_chunk::<8>().map(|bytes| u64::from_le_bytes(*bytes));
    let is_typed = data.len() == size_of::<T>() && found == Some(T::DISCRIMINATOR);
    if is_typed { Ok(()) } else { Err(GtxError::AccountTypeMismatch.into()) }
}

/// Returns the error of an account that is already borrowed: the instruction got it in two roles, and one of them is writable.
/// A borrow has no other error.
#[cold]
#[inline(always)]
fn in_use(_: ProgramError) -> ProgramError {
    GtxError::AccountsNotDistinct.into()
}

/// Returns the account as a read-only `T`.
#[inline(always)]
pub fn load<T: Account>(view: &AccountView) -> Result<Ref<'_, T>, ProgramError> {
    owned::<T>(view)?;
    let data = view.try_borrow().map_err(in_use)?;
    typed::<T>(&data)?;
    Ok(Ref::map(data, |bytes| bytemuck::from_bytes(bytes)))
}

/// Returns the account as a writable `T`. AccountNotWritable.
#[inline(always)]
pub fn load_mut<T: Account>(view: &mut AccountView) -> Result<RefMut<'_, T>, ProgramError> {
    writable(view)?;
    owned::<T>(view)?;
    let data = view.try_borrow_mut().map_err(in_use)?;
    typed::<T>(&data)?;
    Ok(RefMut::map(data, |bytes| bytemuck::from_bytes_mut(bytes)))
}
