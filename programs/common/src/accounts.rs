//! Proves each account of an instruction once. A field's type states what is proven of its account. The host test compares
//! these types of every instruction with the IDL. The types are passed by value: a pointer to a field would force the whole
//! list into memory, which costs compute units.

use core::{
    marker::PhantomData,
    ops::{Deref, DerefMut},
};

use pinocchio::{
    AccountView, Address,
    account::{Ref, RefMut},
    error::ProgramError,
    sysvars::instructions::INSTRUCTIONS_ID,
};

use crate::{
    GtxError,
    checks::{self, Account},
    ids,
};

/// The properties of an account that the IDL states.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Meta {
    pub name: &'static str,
    pub signer: bool,
    pub writable: bool,
    pub optional: bool,
    pub address: Option<Address>,
}

impl Meta {
    /// Returns the properties that the proof `P` of a field establishes.
    pub const fn of<'a, P: Proof<'a>>(name: &'static str) -> Self {
        Self { name, signer: P::SIGNER, writable: P::WRITABLE, optional: P::OPTIONAL, address: P::ADDRESS }
    }
}

/// An instruction by its name, with its accounts in order.
pub type Described = (&'static str, &'static [Meta]);

/// Proof of an account's properties by its type.
pub trait Proof<'a>: Sized {
    const SIGNER: bool = false;
    const WRITABLE: bool = false;
    const OPTIONAL: bool = false;
    const ADDRESS: Option<Address> = None;

    fn prove(view: &'a mut AccountView) -> Result<Self, ProgramError>;
}

/// Returns *MissingAccount* for a list that is too short, *UnexpectedAccount* for one that is too long.
#[cold]
#[inline(never)]
pub fn wrong_count(found: usize, wanted: usize) -> ProgramError {
    if found < wanted { GtxError::MissingAccount.into() } else { GtxError::UnexpectedAccount.into() }
}

/// Declares `struct Accounts<'a>` with `prove`. It takes exactly these accounts and proves each by its type. Each instruction
/// writes `load`, which proves how the accounts belong together. After `.., name: MOST`, up to MOST further accounts follow,
/// which `load` proves.
#[macro_export]
macro_rules! accounts {
    ($(#[$doc:meta])* struct Accounts<$life:lifetime> {
        $($(#[$field_doc:meta])* $field:ident: $type:ty,)*
        $(.., $(#[$rest_doc:meta])* $rest:ident: $most:expr,)?
    }) => {
        $(#[$doc])*
        pub struct Accounts<$life> {
            $($(#[$field_doc])* pub $field: $type,)*
            $($(#[$rest_doc])* pub $rest: &$life [pinocchio::AccountView],)?
        }

        impl<$life> Accounts<$life> {
            /// The accounts as the IDL states them.
            pub const METAS: &'static [$crate::accounts::Meta] =
                &[$($crate::accounts::Meta::of::<$type>(stringify!($field))),*];

            /// Bounds the accounts that `prove` takes.
            pub const MOST: usize = Self::METAS.len() $(.saturating_add($most))?;

            #[inline(always)]
            fn prove(accounts: &$life mut [pinocchio::AccountView]) -> Result<Self, pinocchio::error::ProgramError> {
                let count = accounts.len();
                let [$($field,)* $($rest @ ..)?] = accounts else {
                    return Err($crate::accounts::wrong_count(count, Self::METAS.len()));
                };
                $(if $rest.len() > $most {
                    return Err($crate::GtxError::UnexpectedAccount.into());
                })?
                Ok(Self { $($field: $crate::accounts::Proof::prove($field)?,)* $($rest,)? })
            }
        }
    };
}

/// Proves a read-only `T`: owner, size and discriminator.
impl<'a, T: Account> Proof<'a> for Ref<'a, T> {
    #[inline(always)]
    fn prove(view: &'a mut AccountView) -> Result<Self, ProgramError> {
        checks::load(view)
    }
}

/// Proves a writable `T`: owner, size and discriminator.
impl<'a, T: Account> Proof<'a> for RefMut<'a, T> {
    const WRITABLE: bool = true;

    #[inline(always)]
    fn prove(view: &'a mut AccountView) -> Result<Self, ProgramError> {
        checks::load_mut(view)
    }
}

/// A writable `T` together with its address.
pub struct Located<'a, T: Account> {
    pub address: [u8; 32],
    pub account: RefMut<'a, T>,
}

impl<'a, T: Account> Proof<'a> for Located<'a, T> {
    const WRITABLE: bool = true;

    #[inline(always)]
    fn prove(view: &'a mut AccountView) -> Result<Self, ProgramError> {
        Ok(Self { address: *view.address().as_array(), account: checks::load_mut(view)? })
    }
}

macro_rules! views {
    ($($(#[$doc:meta])* $name:ident { $($constant:ident: $type:ty = $value:expr),* } $prove:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub struct $name<'a>(&'a AccountView);

        impl<'a> Proof<'a> for $name<'a> {
            $(const $constant: $type = $value;)*

            #[inline(always)]
            fn prove(view: &'a mut AccountView) -> Result<Self, ProgramError> {
                let check: fn(&AccountView) -> Result<(), ProgramError> = $prove;
                check(view)?;
                Ok(Self(view))
            }
        }

        impl<'a> $name<'a> {
            /// Returns the account for as long as the instruction runs.
            #[inline(always)]
            pub fn view(self) -> &'a AccountView {
                self.0
            }
        }

        impl Deref for $name<'_> {
            type Target = AccountView;

            #[inline(always)]
            fn deref(&self) -> &AccountView {
                self.0
            }
        }
    )*};
}

views! {
    /// An account that has signed.
    Signer { SIGNER: bool = true } checks::signer;
    /// An account that has signed and pays.
    Payer { SIGNER: bool = true, WRITABLE: bool = true } checks::payer;
    /// An account that the type does not prove: `load` compares its address, or the called program checks it.
    Unchecked { } |_| Ok(());
    /// The system program.
    SystemProgram { ADDRESS: Option<Address> = Some(ids::SYSTEM) } |view| checks::key(view, &ids::SYSTEM);
    /// SPL Token-2022.
    Token2022 { ADDRESS: Option<Address> = Some(ids::TOKEN_2022) } |view| checks::key(view, &ids::TOKEN_2022);
    /// The program of associated token accounts.
    AssociatedToken { ADDRESS: Option<Address> = Some(ids::ASSOCIATED_TOKEN) } |view| checks::key(view, &ids::ASSOCIATED_TOKEN);
    /// The sysvar that shows the transaction's other instructions.
    InstructionsSysvar { ADDRESS: Option<Address> = Some(INSTRUCTIONS_ID) } |view| checks::key(view, &INSTRUCTIONS_ID);
}

/// A writable account. `load`, or the account's creation, proves its address.
pub struct Writable<'a>(&'a mut AccountView);

impl<'a> Proof<'a> for Writable<'a> {
    const WRITABLE: bool = true;

    #[inline(always)]
    fn prove(view: &'a mut AccountView) -> Result<Self, ProgramError> {
        checks::writable(view)?;
        Ok(Self(view))
    }
}

impl Deref for Writable<'_> {
    type Target = AccountView;

    #[inline(always)]
    fn deref(&self) -> &AccountView {
        self.0
    }
}

impl DerefMut for Writable<'_> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut AccountView {
        self.0
    }
}

/// A `T` that some calls omit. In its place they pass the program's own address, as Anchor does. The instruction's data and the
/// other accounts decide whether the account must be there, so the instruction proves it where it needs it.
pub struct Optional<'a, T: Account>(&'a AccountView, PhantomData<T>);

impl<T: Account> Clone for Optional<'_, T> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Account> Copy for Optional<'_, T> {}

impl<'a, T: Account> Proof<'a> for Optional<'a, T> {
    const OPTIONAL: bool = true;

    #[inline(always)]
    fn prove(view: &'a mut AccountView) -> Result<Self, ProgramError> {
        Ok(Self(view, PhantomData))
    }
}

impl<'a, T: Account> Optional<'a, T> {
    /// Returns the account as a `T`. AccountOwnerMismatch when it is absent or another program's; AccountTypeMismatch.
    #[inline(always)]
    pub fn load(self) -> Result<Ref<'a, T>, ProgramError> {
        checks::load(self.0)
    }

    #[inline(always)]
    pub fn is_absent(self, program: &Address) -> bool {
        self.0.address() == program
    }

    /// Succeeds when the account is absent, else AccountKeyMismatch.
    #[inline(always)]
    pub fn check_absent(self, program: &Address) -> Result<(), ProgramError> {
        checks::key(self.0, program)
    }
}

/// A signer that some calls omit, see `Optional`.
#[derive(Clone, Copy)]
pub struct OptionalSigner<'a>(&'a AccountView);

impl<'a> Proof<'a> for OptionalSigner<'a> {
    const SIGNER: bool = true;
    const OPTIONAL: bool = true;

    #[inline(always)]
    fn prove(view: &'a mut AccountView) -> Result<Self, ProgramError> {
        Ok(Self(view))
    }
}

impl<'a> OptionalSigner<'a> {
    /// Returns the signer's key. AccountNotSigner.
    #[inline(always)]
    pub fn key(self) -> Result<&'a [u8; 32], ProgramError> {
        checks::signer(self.0)?;
        Ok(self.0.address().as_array())
    }

    /// Succeeds when the account is absent, else AccountKeyMismatch.
    #[inline(always)]
    pub fn check_absent(self, program: &Address) -> Result<(), ProgramError> {
        checks::key(self.0, program)
    }
}
