//! create_budget: creates the account that bounds a zone's minting. Anyone may pay: the payer can choose nothing in it.

use bytemuck::Zeroable;
use gtx_common::{
    accounts::{Payer, SystemProgram, Writable},
    args::Args,
    checks::Account,
    events::BudgetCreated,
    layout::{
        energy::{BUDGET_FORMAT, Budget},
        registry::Zone,
    },
    pda,
};
use pinocchio::{AccountView, Address, ProgramResult, account::Ref, error::ProgramError};

gtx_common::accounts! {
    /// The accounts of create_budget.
    struct Accounts<'a> {
        payer: Payer<'a>,
        /// The zone that gets a budget.
        zone: Ref<'a, Zone>,
        /// The new budget. Its creation proves the address.
        budget: Writable<'a>,
        system_program: SystemProgram<'a>,
    }
}

impl<'a> Accounts<'a> {
    #[inline(always)]
    pub fn load(_program: &Address, accounts: &'a mut [AccountView]) -> Result<Self, ProgramError> {
        Self::prove(accounts)
    }
}

#[inline(always)]
pub fn process(program_id: &Address, accounts: Accounts, data: &[u8]) -> ProgramResult {
    Args(data).end()?;
    let Accounts { payer, zone, mut budget, .. } = accounts;
    let zone = zone.zone;
    let bump = pda::create(&mut budget, payer, program_id, &[b"budget", &zone.to_le_bytes()], size_of::<Budget>())?;
    let new = Budget { discriminator: Budget::DISCRIMINATOR, zone, bump, format: BUDGET_FORMAT, ..Budget::zeroed() };
    pda::fill(&mut budget, &new)?;
    BudgetCreated::emit(zone);
    Ok(())
}
