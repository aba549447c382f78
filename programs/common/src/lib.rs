//! Code that the on-chain programs share. Layouts are the contract between them: a program reads another program's accounts and
//! never writes them.
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

/// Bounds the accounts of an instruction, unless the program states another bound (at most 64).
pub const MAX_ACCOUNTS: usize = 16;

/// Declares the parts that every program has: entry point, panic handler, no allocator, error log in Anchor's form. `$process`
/// is `fn(&Address, &mut [AccountView], &[u8]) -> ProgramResult`. With `accounts = N` an instruction may have N accounts. The
/// entry point drops accounts beyond its own limit. Its limit is therefore N + 1, so that `prove` sees a list that is too long.
/// No instruction may have more than N accounts: `crate::LONGEST`, from `instructions!`, states the longest.
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

/// Declares the instructions of a program, each in the file of its name: discriminators, `process`, and `INSTRUCTIONS` for the
/// comparison with the IDL. The most frequent instruction comes first.
#[macro_export]
macro_rules! instructions {
    ($($tag:ident => $name:ident,)*) => {
        $(const $tag: u64 = $crate::discriminator("global:", stringify!($name));)*

        /// Every instruction with its accounts.
        pub const INSTRUCTIONS: &[$crate::accounts::Described] = &[$((stringify!($name), $name::Accounts::METAS)),*];

        /// The number of accounts of the longest instruction.
        pub const LONGEST: usize = $crate::most(&[$($name::Accounts::MOST),*]);

        /// Proves the accounts of an instruction and calls its file, which the 8-byte discriminator names.
        pub fn process(
            program: &pinocchio::Address,
            accounts: &mut [pinocchio::AccountView],
            data: &[u8],
        ) -> pinocchio::ProgramResult {
            let unknown = || pinocchio::error::ProgramError::from($crate::GtxError::UnknownInstruction);
            let (tag, args) = data.split_first_chunk::<8>().ok_or_else(unknown)?;
            match u64::from_le_bytes(*tag) {
                $($tag => {
                    /// Runs the instruction in its own stack frame, with the registers for this instruction alone.
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

/// Returns the largest of the numbers; 0 for an empty list.
pub const fn most(numbers: &[usize]) -> usize {
    match numbers {
        [] => 0,
        [first, rest @ ..] => {
            let other = most(rest);
            if *first > other { *first } else { other }
        }
    }
}

/// Returns the first 8 bytes of SHA-256(`namespace` ‖ `name`), Anchor's discriminator, as a little-endian number for `match`.
pub const fn discriminator(namespace: &str, name: &str) -> u64 {
    let hash = sha2_const_stable::Sha256::new().update(namespace.as_bytes()).update(name.as_bytes()).finalize();
    u64::from_le_bytes([hash[0], hash[1], hash[2], hash[3], hash[4], hash[5], hash[6], hash[7]])
}
