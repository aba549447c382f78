//! The proofs of accounts on made-up accounts, and lists as long as the market will have them.
#![allow(unsafe_code)] // an AccountView is a pointer to what the runtime wrote
#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)] // a test that panics fails

use bytemuck::Zeroable;
use gtx_common::{
    GtxError,
    accounts::{
        InstructionsSysvar, Located, Optional, OptionalSigner, Payer, Proof, Signer, SystemProgram, Token2022,
        Unchecked, Writable,
    },
    checks::Account,
    ids,
    layout::registry::{Point, User},
};
use pinocchio::{
    AccountView, Address,
    account::{NOT_BORROWED, Ref, RefMut, RuntimeAccount},
    error::ProgramError,
};

/// An account as the runtime lays it out: the head, and the data behind it.
struct Made {
    words: Vec<u64>,
}

const HEAD: usize = size_of::<RuntimeAccount>();

impl Made {
    fn new(address: [u8; 32], owner: Address, data: &[u8]) -> Self {
        let mut words = vec![0u64; (HEAD + data.len()).div_ceil(8)];
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut words);
        bytes[0] = NOT_BORROWED;
        bytes[8..40].copy_from_slice(&address);
        bytes[40..72].copy_from_slice(owner.as_array());
        bytes[80..88].copy_from_slice(&(data.len() as u64).to_le_bytes());
        bytes[HEAD..HEAD + data.len()].copy_from_slice(data);
        Self { words }
    }

    fn any() -> Self {
        Self::new([7; 32], ids::SYSTEM, &[])
    }

    fn user() -> Self {
        let user = User { discriminator: User::DISCRIMINATOR, zone: 9, ..User::zeroed() };
        Self::new([8; 32], ids::REGISTRY, bytemuck::bytes_of(&user))
    }

    fn signed(mut self) -> Self {
        bytemuck::cast_slice_mut::<u64, u8>(&mut self.words)[1] = 1;
        self
    }

    fn writable(mut self) -> Self {
        bytemuck::cast_slice_mut::<u64, u8>(&mut self.words)[2] = 1;
        self
    }

    fn view(&mut self) -> AccountView {
        // SAFETY: the words hold a head and as many bytes as it says, and live as long as `self`.
        unsafe { AccountView::new_unchecked(self.words.as_mut_ptr().cast()) }
    }
}

/// Returns the error of a proof; None when the proof holds.
fn refusal<P: for<'a> Prove<'a>>(mut made: Made) -> Option<ProgramError> {
    P::try_on(&mut made.view())
}

/// A proof of any lifetime, by its kind.
trait Prove<'a> {
    fn try_on(view: &'a mut AccountView) -> Option<ProgramError>;
}

macro_rules! kinds {
    ($($kind:ident = $type:ty;)*) => {$(
        struct $kind;
        impl<'a> Prove<'a> for $kind {
            fn try_on(view: &'a mut AccountView) -> Option<ProgramError> {
                <$type as Proof<'a>>::prove(view).err()
            }
        }
    )*};
}

kinds! {
    IsSigner = Signer<'a>;
    IsPayer = Payer<'a>;
    IsWritable = Writable<'a>;
    IsUnchecked = Unchecked<'a>;
    IsSystem = SystemProgram<'a>;
    IsToken = Token2022<'a>;
    IsSysvar = InstructionsSysvar<'a>;
    ReadsUser = Ref<'a, User>;
    WritesUser = RefMut<'a, User>;
    LocatesUser = Located<'a, User>;
    MayBeUser = Optional<'a, User>;
    MaySign = OptionalSigner<'a>;
}

fn error(error: GtxError) -> Option<ProgramError> {
    Some(error.into())
}

#[test]
fn signers_and_payers() {
    assert_eq!(refusal::<IsSigner>(Made::any().signed()), None);
    assert_eq!(refusal::<IsSigner>(Made::any().writable()), error(GtxError::AccountNotSigner));
    assert_eq!(refusal::<IsPayer>(Made::any().signed().writable()), None);
    assert_eq!(refusal::<IsPayer>(Made::any().writable()), error(GtxError::AccountNotSigner));
    assert_eq!(refusal::<IsPayer>(Made::any().signed()), error(GtxError::AccountNotWritable));
    assert_eq!(refusal::<IsWritable>(Made::any().writable()), None);
    assert_eq!(refusal::<IsWritable>(Made::any().signed()), error(GtxError::AccountNotWritable));
    assert_eq!(refusal::<IsUnchecked>(Made::any()), None);
}

#[test]
fn programs_and_sysvars_by_their_address() {
    let at = |address: &Address| Made::new(*address.as_array(), ids::SYSTEM, &[]);
    assert_eq!(refusal::<IsSystem>(at(&ids::SYSTEM)), None);
    assert_eq!(refusal::<IsToken>(at(&ids::TOKEN_2022)), None);
    assert_eq!(refusal::<IsSystem>(at(&ids::TOKEN_2022)), error(GtxError::AccountKeyMismatch));
    assert_eq!(refusal::<IsToken>(at(&ids::SYSTEM)), error(GtxError::AccountKeyMismatch));
    assert_eq!(refusal::<IsSysvar>(Made::any()), error(GtxError::AccountKeyMismatch));
}

#[test]
fn typed_accounts_by_owner_size_and_discriminator() {
    assert_eq!(refusal::<ReadsUser>(Made::user()), None);
    let user = User { discriminator: User::DISCRIMINATOR, ..User::zeroed() };
    let bytes = bytemuck::bytes_of(&user);
    let wrong = [
        (Made::new([8; 32], ids::ORACLE, bytes), GtxError::AccountOwnerMismatch),
        (Made::new([8; 32], ids::REGISTRY, &bytes[..119]), GtxError::AccountTypeMismatch),
        (Made::new([8; 32], ids::REGISTRY, &[bytes, &[0]].concat()), GtxError::AccountTypeMismatch),
        (Made::new([8; 32], ids::REGISTRY, &[0; 120]), GtxError::AccountTypeMismatch),
        (Made::new([8; 32], ids::REGISTRY, &[]), GtxError::AccountTypeMismatch),
        (Made::new([8; 32], ids::REGISTRY, bytemuck::bytes_of(&Point::zeroed())), GtxError::AccountTypeMismatch),
    ];
    for (mut made, expected) in wrong.map(|(made, expected)| (made.writable(), expected)) {
        for found in [
            ReadsUser::try_on(&mut made.view()),
            WritesUser::try_on(&mut made.view()),
            LocatesUser::try_on(&mut made.view()),
        ] {
            assert_eq!(found, error(expected));
        }
    }
    for found in [refusal::<WritesUser>(Made::user()), refusal::<LocatesUser>(Made::user())] {
        assert_eq!(found, error(GtxError::AccountNotWritable));
    }
    assert_eq!(refusal::<WritesUser>(Made::user().writable()), None);
    assert_eq!(refusal::<LocatesUser>(Made::user().writable()), None);
}

#[test]
fn an_account_is_not_borrowed_twice_to_be_changed_and_is_free_after_a_refusal() {
    let mut made = Made::user().writable();
    let (mut first, mut second) = (made.view(), made.view());
    let held = <RefMut<User> as Proof>::prove(&mut first);
    assert_eq!(held.as_ref().map(|user| user.zone).ok(), Some(9));
    for found in [
        <Ref<User> as Proof>::prove(&mut second).err(),
        <RefMut<User> as Proof>::prove(&mut second).err(),
        <Located<User> as Proof>::prove(&mut second).err(),
        <Optional<User> as Proof>::prove(&mut second).unwrap().load().err(),
    ] {
        assert_eq!(found, error(GtxError::AccountsNotDistinct));
    }
    drop(held);
    assert_eq!(<RefMut<Point> as Proof>::prove(&mut second).err(), error(GtxError::AccountTypeMismatch));
    assert_eq!(<RefMut<User> as Proof>::prove(&mut second).err(), None);
}

#[test]
fn optional_accounts_are_proven_when_they_are_asked_for() {
    let program = ids::REGISTRY;
    assert_eq!((refusal::<MayBeUser>(Made::any()), refusal::<MaySign>(Made::any())), (None, None));
    let (mut absent, mut present) = (Made::new(*program.as_array(), ids::SYSTEM, &[]), Made::user());
    let (mut absent, mut present) = (absent.view(), present.view());
    let none = <Optional<User> as Proof>::prove(&mut absent).unwrap();
    assert!(none.is_absent(&program) && none.check_absent(&program).is_ok());
    assert_eq!(none.load().err(), error(GtxError::AccountOwnerMismatch));
    let some = <Optional<User> as Proof>::prove(&mut present).unwrap();
    assert_eq!(some.check_absent(&program).err(), error(GtxError::AccountKeyMismatch));
    assert_eq!(some.load().map(|user| user.zone).ok(), Some(9));
    let signer = <OptionalSigner as Proof>::prove(&mut present).unwrap();
    assert_eq!(signer.key().err(), error(GtxError::AccountNotSigner));
    assert_eq!(<OptionalSigner as Proof>::prove(&mut Made::any().signed().view()).unwrap().key(), Ok(&[7; 32]));
}

mod market {
    //! A list of 40 accounts, as the market's fills will have them.
    use super::*;

    gtx_common::accounts! {
        struct Accounts<'a> {
            payer: Payer<'a>,
            a1: Unchecked<'a>, a2: Unchecked<'a>, a3: Unchecked<'a>, a4: Unchecked<'a>, a5: Unchecked<'a>, a6: Unchecked<'a>,
            a7: Unchecked<'a>, a8: Unchecked<'a>, a9: Unchecked<'a>, b1: Unchecked<'a>, b2: Unchecked<'a>, b3: Unchecked<'a>,
            b4: Unchecked<'a>, b5: Unchecked<'a>, b6: Unchecked<'a>, b7: Unchecked<'a>, b8: Unchecked<'a>, b9: Unchecked<'a>,
            c1: Unchecked<'a>, c2: Unchecked<'a>, c3: Unchecked<'a>, c4: Unchecked<'a>, c5: Unchecked<'a>, c6: Unchecked<'a>,
            c7: Unchecked<'a>, c8: Unchecked<'a>, c9: Unchecked<'a>, d1: Unchecked<'a>, d2: Unchecked<'a>, d3: Unchecked<'a>,
            d4: Unchecked<'a>, d5: Unchecked<'a>, d6: Unchecked<'a>, d7: Unchecked<'a>, d8: Unchecked<'a>, d9: Unchecked<'a>,
            e1: Writable<'a>,
            e2: Unchecked<'a>,
            e3: Signer<'a>,
        }
    }

    impl<'a> Accounts<'a> {
        pub fn load(accounts: &'a mut [AccountView]) -> Result<Self, ProgramError> {
            Self::prove(accounts)
        }
    }
}

mod fills {
    //! A fixed account with at most 39 behind it.
    use super::*;

    gtx_common::accounts! {
        struct Accounts<'a> {
            payer: Payer<'a>,
            ..,
            seats: 39,
        }
    }

    impl<'a> Accounts<'a> {
        pub fn load(accounts: &'a mut [AccountView]) -> Result<Self, ProgramError> {
            Self::prove(accounts)
        }
    }
}

#[test]
fn forty_accounts_and_not_one_more_or_less() {
    let mut made: Vec<Made> = (0..41).map(|_| Made::any().signed().writable()).collect();
    let mut views: Vec<AccountView> = made.iter_mut().map(Made::view).collect();
    let (most, all) = (market::Accounts::METAS.len(), views.len());
    assert_eq!((most, all), (40, 41));
    let accounts = market::Accounts::load(&mut views[..40]).unwrap();
    assert!(accounts.e1.is_writable() && accounts.e3.is_signer());
    assert_eq!(market::Accounts::load(&mut views).err(), error(GtxError::UnexpectedAccount));
    assert_eq!(market::Accounts::load(&mut views[..39]).err(), error(GtxError::MissingAccount));
    assert_eq!(market::Accounts::load(&mut []).err(), error(GtxError::MissingAccount));
    assert_eq!(fills::Accounts::load(&mut views[..40]).map(|found| found.seats.len()).ok(), Some(39));
    assert_eq!(fills::Accounts::load(&mut views[..1]).map(|found| found.seats.len()).ok(), Some(0));
    assert_eq!(fills::Accounts::load(&mut views).err(), error(GtxError::UnexpectedAccount));
    assert_eq!(fills::Accounts::load(&mut []).err(), error(GtxError::MissingAccount));
}

#[test]
fn a_program_knows_its_longest_instruction() {
    assert_eq!((market::Accounts::MOST, fills::Accounts::MOST), (40, 40));
    assert_eq!((gtx_common::most(&[3, 40, 9]), gtx_common::most(&[])), (40, 0));
    assert_eq!((registry::LONGEST, oracle::LONGEST, energy_token::LONGEST), (10, 9, 10));
}

#[test]
fn the_last_of_forty_is_proven_as_well() {
    let mut made: Vec<Made> = (0..40).map(|_| Made::any().signed().writable()).collect();
    made[39] = Made::any();
    let mut views: Vec<AccountView> = made.iter_mut().map(Made::view).collect();
    assert_eq!(market::Accounts::load(&mut views).err(), error(GtxError::AccountNotSigner));
}
