//! Energy token: one GXT for one metered kilowatt-hour of export. Every slot has a cursor of minted export. It follows the
//! export and never passes it, so that a kilowatt-hour becomes a token once.
#![cfg_attr(target_os = "solana", no_std)]

#[cfg(target_arch = "bpf")]
use sbpf_rt as _;

mod budget;
mod create_budget;
mod create_ledger_page;
mod initialize;
mod mint_meter;
mod mint_page;
mod place;
mod retire;
mod set_destination;
mod token;

gtx_common::program!(super::process);

gtx_common::instructions! {
    MINT_PAGE => mint_page,
    MINT_METER => mint_meter,
    RETIRE => retire,
    SET_DESTINATION => set_destination,
    CREATE_LEDGER_PAGE => create_ledger_page,
    CREATE_BUDGET => create_budget,
    INITIALIZE => initialize,
}
