//! Oracle: what was metered. One page holds the totals of 256 meters; no tokens.
#![cfg_attr(target_os = "solana", no_std)]

#[cfg(target_arch = "bpf")]
use sbpf_rt as _;

mod activate_slot;
mod answer;
mod attest_page;
mod conclude_dispute;
mod create_page;
mod dispute;
mod history;
mod place;
mod submit_statement;
mod sync_slot;

use gtx_common::{GtxError, discriminator};
use pinocchio::{AccountView, Address, ProgramResult, error::ProgramError};

gtx_common::program!(super::process);

const CREATE_PAGE: u64 = discriminator("global:", "create_page");
const ACTIVATE_SLOT: u64 = discriminator("global:", "activate_slot");
const ATTEST_PAGE: u64 = discriminator("global:", "attest_page");
const SYNC_SLOT: u64 = discriminator("global:", "sync_slot");
const SUBMIT_STATEMENT: u64 = discriminator("global:", "submit_statement");
const DISPUTE: u64 = discriminator("global:", "dispute");
const ANSWER: u64 = discriminator("global:", "answer");
const CONCLUDE_DISPUTE: u64 = discriminator("global:", "conclude_dispute");

/// Sends an instruction to its file by the 8-byte discriminator.
pub fn process(program: &Address, accounts: &mut [AccountView], data: &[u8]) -> ProgramResult {
    let (tag, args) = data.split_first_chunk::<8>().ok_or(ProgramError::from(GtxError::UnknownInstruction))?;
    match u64::from_le_bytes(*tag) {
        ATTEST_PAGE => attest_page::process(accounts, args),
        ACTIVATE_SLOT => activate_slot::process(accounts, args),
        SUBMIT_STATEMENT => submit_statement::process(accounts, args),
        SYNC_SLOT => sync_slot::process(accounts, args),
        DISPUTE => dispute::process(program, accounts, args),
        ANSWER => answer::process(accounts, args),
        CONCLUDE_DISPUTE => conclude_dispute::process(accounts, args),
        CREATE_PAGE => create_page::process(program, accounts, args),
        _ => Err(GtxError::UnknownInstruction.into()),
    }
}
