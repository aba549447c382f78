//! create_budget: the account that bounds a zone's minting. Anyone pays; nothing in it can be chosen.

use bytemuck::Zeroable;
use gtx_common::{
    GtxError,
    args::Args,
    checks::{self, Account},
    events::BudgetCreated,
    ids,
    layout::{
        energy::{BUDGET_FORMAT, Budget},
        registry::Zone,
    },
    pda,
};
use pinocchio::{AccountView, Address, ProgramResult};

pub fn process(program_id: &Address, accounts: &mut [AccountView], data: &[u8]) -> ProgramResult {
    Args(data).end()?;
    let [payer, zone, budget, system, ..] = accounts else {
        return Err(GtxError::MissingAccount.into());
    };
    checks::payer(payer)?;
    checks::key(system, &ids::SYSTEM)?;
    let zone = checks::load::<Zone>(zone)?.zone;
    let bump = pda::create(budget, payer, program_id, &[b"budget", &zone.to_le_bytes()], size_of::<Budget>())?;
    let new = Budget { discriminator: Budget::DISCRIMINATOR, zone, bump, format: BUDGET_FORMAT, ..Budget::zeroed() };
    pda::fill(budget, &new)?;
    BudgetCreated::emit(zone);
    Ok(())
}
