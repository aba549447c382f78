//! Oracle: metered energy. One page holds the totals of 256 meters; no tokens.
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
mod rule;
mod submit_statement;
mod sync_slot;
mod totals;

gtx_common::program!(super::process);

gtx_common::instructions! {
    ATTEST_PAGE => attest_page,
    ACTIVATE_SLOT => activate_slot,
    SUBMIT_STATEMENT => submit_statement,
    SYNC_SLOT => sync_slot,
    DISPUTE => dispute,
    ANSWER => answer,
    CONCLUDE_DISPUTE => conclude_dispute,
    CREATE_PAGE => create_page,
}
