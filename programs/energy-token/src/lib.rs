//! Energy token: GXT, one for a metered kilowatt-hour of export. Every slot has a cursor of what was minted; it follows the export
//! and never passes it, so that a kilowatt-hour becomes a token once.
#![cfg_attr(target_os = "solana", no_std)]

#[cfg(target_arch = "bpf")]
use sbpf_rt as _;

mod budget;
mod create_budget;
mod create_ledger_page;
mod initialize;
mod mint_meter;
mod mint_page;
mod retire;
mod set_destination;
mod token;

use gtx_common::{GtxError, discriminator};
use pinocchio::{AccountView, Address, ProgramResult, error::ProgramError};

gtx_common::program!(super::process);

const INITIALIZE: u64 = discriminator("global:", "initialize");
const CREATE_LEDGER_PAGE: u64 = discriminator("global:", "create_ledger_page");
const CREATE_BUDGET: u64 = discriminator("global:", "create_budget");
const SET_DESTINATION: u64 = discriminator("global:", "set_destination");
const MINT_PAGE: u64 = discriminator("global:", "mint_page");
const MINT_METER: u64 = discriminator("global:", "mint_meter");
const RETIRE: u64 = discriminator("global:", "retire");

/// Sends an instruction to its file by the 8-byte discriminator.
pub fn process(program: &Address, accounts: &mut [AccountView], data: &[u8]) -> ProgramResult {
    let (tag, args) = data.split_first_chunk::<8>().ok_or(ProgramError::from(GtxError::UnknownInstruction))?;
    match u64::from_le_bytes(*tag) {
        MINT_PAGE => mint_page::process(accounts, args),
        MINT_METER => mint_meter::process(accounts, args),
        RETIRE => retire::process(accounts, args),
        SET_DESTINATION => set_destination::process(accounts, args),
        CREATE_LEDGER_PAGE => create_ledger_page::process(program, accounts, args),
        CREATE_BUDGET => create_budget::process(program, accounts, args),
        INITIALIZE => initialize::process(program, accounts, args),
        _ => Err(GtxError::UnknownInstruction.into()),
    }
}
