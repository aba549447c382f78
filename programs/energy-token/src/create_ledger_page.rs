//! create_ledger_page: creates a ledger page in two steps, because it is larger than one instruction may add to an account.
//! Only the second step makes it a LedgerPage. Anyone may pay.

use gtx_common::{
    GtxError,
    accounts::{Payer, SystemProgram, Writable},
    args::Args,
    checks::{self, Account},
    events::LedgerPageCreated,
    grow,
    layout::{
        energy::{LEDGER_FORMAT, LedgerPage},
        registry::Zone,
    },
    pda,
};
use pinocchio::{AccountView, Address, ProgramResult, account::Ref, error::ProgramError};

const _: () = assert!(grow::steps(size_of::<LedgerPage>()) == 2);

gtx_common::accounts! {
    /// The accounts of create_ledger_page.
    struct Accounts<'a> {
        payer: Payer<'a>,
        /// The zone that gets a page.
        zone: Ref<'a, Zone>,
        /// The new page. Each step proves the address.
        ledger_page: Writable<'a>,
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
    let mut args = Args(data);
    let (zone, number) = (args.u16()?, args.u32()?);
    args.end()?;
    let Accounts { payer, zone: zone_account, ledger_page: mut page, .. } = accounts;
    if zone_account.zone != zone {
        return Err(GtxError::ZoneMismatch.into());
    }
    let seeds: [&[u8]; 3] = [b"ledger", &zone.to_le_bytes(), &number.to_le_bytes()];
    let Some(bump) = grow::step(&mut page, payer, program_id, &seeds, size_of::<LedgerPage>())? else {
        return Ok(());
    };
    pda::fill_head(&mut page, LedgerPage::DISCRIMINATOR)?;
    let mut page = checks::load_mut::<LedgerPage>(&mut page)?;
    page.page = number;
    page.zone = zone;
    page.bump = bump;
    page.format = LEDGER_FORMAT;
    LedgerPageCreated::emit(zone, number);
    Ok(())
}
