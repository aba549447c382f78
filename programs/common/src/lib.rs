//! What the on-chain programs share. Layouts are the contract between them: a program reads another's accounts, never writes
//! them.
#![no_std]

#[cfg(test)]
extern crate std;

pub mod args;
pub mod attestors;
pub mod caps;
pub mod checks;
pub mod ed25519;
pub mod errors;
pub mod events;
pub mod ids;
pub mod layout;
pub mod pda;
pub mod statement;
pub mod sys;
pub mod time;

pub use errors::{GtxError, logged};

/// The parts of a program that every one of them has: entry point, panic handler, no allocator, error log in Anchor's form.
/// `$process` is `fn(&Address, &mut [AccountView], &[u8]) -> ProgramResult`.
#[macro_export]
macro_rules! program {
    ($process:path) => {
        #[cfg(target_os = "solana")]
        mod entry {
            #![allow(unsafe_code)]
            use pinocchio::{AccountView, Address, ProgramResult};

            fn logging(program: &Address, accounts: &mut [AccountView], data: &[u8]) -> ProgramResult {
                $process(program, accounts, data).map_err($crate::logged)
            }
            pinocchio::program_entrypoint!(logging, 16);
            pinocchio::no_allocator!();
            pinocchio::nostd_panic_handler!();
        }
    };
}

/// First 8 bytes of SHA-256(`namespace` ‖ `name`), Anchor's discriminator, as a little-endian number that `match` takes.
pub const fn discriminator(namespace: &str, name: &str) -> u64 {
    let hash = sha2_const_stable::Sha256::new().update(namespace.as_bytes()).update(name.as_bytes()).finalize();
    u64::from_le_bytes([hash[0], hash[1], hash[2], hash[3], hash[4], hash[5], hash[6], hash[7]])
}
