//! Addresses of the programs and of those that they call.

use pinocchio::Address;

include!(concat!(env!("OUT_DIR"), "/ids.rs"));

/// SPL Token-2022.
pub const TOKEN_2022: Address = Address::from_str_const("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb");
/// SPL associated token account program.
pub const ASSOCIATED_TOKEN: Address = Address::from_str_const("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL");
/// The upgradeable loader, owner of program and ProgramData accounts.
pub const UPGRADEABLE_LOADER: Address = Address::from_str_const("BPFLoaderUpgradeab1e11111111111111111111111");
/// The Ed25519 precompile.
pub const ED25519: Address = Address::from_str_const("Ed25519SigVerify111111111111111111111111111");
/// The system program.
pub const SYSTEM: Address = Address::from_str_const("11111111111111111111111111111111");
