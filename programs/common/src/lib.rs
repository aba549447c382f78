//! What the on-chain programs share. Layouts are the contract between them: a program reads another's accounts, never writes
//! them.
#![no_std]

#[cfg(test)]
extern crate std;

pub mod accounts;
pub mod args;
pub mod attestors;
pub mod caps;
pub mod checks;
pub mod ed25519;
pub mod errors;
pub mod events;
pub mod grow;
pub mod ids;
pub mod layout;
pub mod pda;
pub mod quantities;
pub mod statement;
pub mod sys;
pub mod time;

pub use errors::{GtxError, logged};
pub use quantities::{BaseUnits, Wh, Window};

/// The most accounts that an instruction of a program has, unless the program says more (at most 64).
pub const MAX_ACCOUNTS: usize = 16;

/// The parts of a program that every one of them has: entry point, panic handler, no allocator, error log in Anchor's form.
/// `$process` is `fn(&Address, &mut [AccountView], &[u8]) -> ProgramResult`. With `accounts = N` an instruction may have N accounts. The
/// entry point leaves out those beyond its own limit, so it looks for one more: a list that is too long is seen as such. No instruction
/// may be longer than that, or its own end is left out: `instructions!` says in `crate::LONGEST` how long they are.
#[macro_export]
#[allow(clippy::crate_in_macro_def)] // LONGEST is the program's own
macro_rules! program {
    ($process:path) => {
        $crate::program!($process, accounts = $crate::MAX_ACCOUNTS);
    };
    ($process:path, accounts = $most:expr) => {
        const _: () = assert!($most <= 64);
        const _: () = assert!(crate::LONGEST <= $most, "an instruction has more accounts than the program takes");

        #[cfg(target_os = "solana")]
        mod entry {
            #![allow(unsafe_code)]
            use pinocchio::{AccountView, Address, ProgramResult};

            fn logging(program: &Address, accounts: &mut [AccountView], data: &[u8]) -> ProgramResult {
                $process(program, accounts, data).map_err($crate::logged)
            }
            pinocchio::program_entrypoint!(logging, { $most + 1 });
            pinocchio::no_allocator!();
            pinocchio::nostd_panic_handler!();
        }
    };
}

/// The instructions of a program, each in the file of its name: discriminators, `process`, and `INSTRUCTIONS` for the comparison with
/// the IDL. What is called most stands first.
#[macro_export]
macro_rules! instructions {
    ($($tag:ident => $name:ident,)*) => {
        $(const $tag: u64 = $crate::discriminator("global:", stringify!($name));)*

        /// Every instruction with its accounts.
        pub const INSTRUCTIONS: &[$crate::accounts::Described] = &[$((stringify!($name), $name::Accounts::METAS)),*];

        /// The accounts of the instruction that has the most.
        pub const LONGEST: usize = $crate::most(&[$($name::Accounts::MOST),*]);

        /// Proves the accounts of an instruction and sends it to its file, by the 8-byte discriminator.
        pub fn process(
            program: &pinocchio::Address,
            accounts: &mut [pinocchio::AccountView],
            data: &[u8],
        ) -> pinocchio::ProgramResult {
            let unknown = || pinocchio::error::ProgramError::from($crate::GtxError::UnknownInstruction);
            let (tag, args) = data.split_first_chunk::<8>().ok_or_else(unknown)?;
            match u64::from_le_bytes(*tag) {
                $($tag => {
                    /// A stack frame of its own, and registers for this instruction alone.
                    #[inline(never)]
                    fn run(
                        program: &pinocchio::Address,
                        accounts: &mut [pinocchio::AccountView],
                        args: &[u8],
                    ) -> pinocchio::ProgramResult {
                        $name::process(program, $name::Accounts::load(program, accounts)?, args)
                    }
                    run(program, accounts, args)
                })*
                _ => Err(unknown()),
            }
        }
    };
}

/// The largest of the numbers; 0 of none.
pub const fn most(numbers: &[usize]) -> usize {
    match numbers {
        [] => 0,
        [first, rest @ ..] => {
            let other = most(rest);
            if *first > other { *first } else { other }
        }
    }
}

/// First 8 bytes of SHA-256(`namespace` ‖ `name`), Anchor's discriminator, as a little-endian number that `match` takes.
pub const fn discriminator(namespace: &str, name: &str) -> u64 {
    let hash = sha2_const_stable::Sha256::new().update(namespace.as_bytes()).update(name.as_bytes()).finalize();
    u64::from_le_bytes([hash[0], hash[1], hash[2], hash[3], hash[4], hash[5], hash[6], hash[7]])
}
