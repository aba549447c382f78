//! Registry: who may speak. Zones, attestors, users, connection points, meters and their keys; no energy, no money.
#![cfg_attr(target_os = "solana", no_std)]

#[cfg(target_arch = "bpf")]
use sbpf_rt as _;

mod announce_attestors;
mod cancel_attestors;
mod confirm_meter;
mod create_zone;
mod freeze;
mod initialize;
mod install_attestors;
mod limits;
mod register_meter;
mod register_user;
mod replace_meter;
mod rotate_key;
mod set_status;

use gtx_common::{GtxError, discriminator};
use pinocchio::{AccountView, Address, ProgramResult, error::ProgramError};

gtx_common::program!(super::process);

const INITIALIZE: u64 = discriminator("global:", "initialize");
const CREATE_ZONE: u64 = discriminator("global:", "create_zone");
const ANNOUNCE_ATTESTORS: u64 = discriminator("global:", "announce_attestors");
const INSTALL_ATTESTORS: u64 = discriminator("global:", "install_attestors");
const CANCEL_ATTESTORS: u64 = discriminator("global:", "cancel_attestors");
const REGISTER_USER: u64 = discriminator("global:", "register_user");
const REGISTER_METER: u64 = discriminator("global:", "register_meter");
const CONFIRM_METER: u64 = discriminator("global:", "confirm_meter");
const ROTATE_KEY: u64 = discriminator("global:", "rotate_key");
const REPLACE_METER: u64 = discriminator("global:", "replace_meter");
const SET_STATUS: u64 = discriminator("global:", "set_status");

/// Sends an instruction to its file by the 8-byte discriminator.
pub fn process(program: &Address, accounts: &mut [AccountView], data: &[u8]) -> ProgramResult {
    let (tag, args) = data.split_first_chunk::<8>().ok_or(ProgramError::from(GtxError::UnknownInstruction))?;
    match u64::from_le_bytes(*tag) {
        INITIALIZE => initialize::process(program, accounts, args),
        CREATE_ZONE => create_zone::process(program, accounts, args),
        ANNOUNCE_ATTESTORS => announce_attestors::process(accounts, args),
        INSTALL_ATTESTORS => install_attestors::process(accounts, args),
        CANCEL_ATTESTORS => cancel_attestors::process(accounts, args),
        REGISTER_USER => register_user::process(program, accounts, args),
        REGISTER_METER => register_meter::process(program, accounts, args),
        CONFIRM_METER => confirm_meter::process(accounts, args),
        ROTATE_KEY => rotate_key::process(program, accounts, args),
        REPLACE_METER => replace_meter::process(program, accounts, args),
        SET_STATUS => set_status::process(program, accounts, args),
        _ => Err(GtxError::UnknownInstruction.into()),
    }
}
