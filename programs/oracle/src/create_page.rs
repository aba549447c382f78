//! create_page: creates an empty page of a zone. Anyone may pay.

use gtx_common::{
    accounts::{Payer, SystemProgram, Writable},
    args::Args,
    checks::{self, Account},
    events::PageCreated,
    layout::{
        oracle::{MeterPage, PAGE_FORMAT},
        registry::Zone,
    },
    pda,
};
use pinocchio::{AccountView, Address, ProgramResult, account::Ref, error::ProgramError};

use crate::{CREATE_PAGE, history};

gtx_common::accounts! {
    /// The accounts of create_page.
    struct Accounts<'a> {
        payer: Payer<'a>,
        /// The zone that gets a page.
        zone: Ref<'a, Zone>,
        /// The new page. Its creation proves the address.
        meter_page: Writable<'a>,
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
    let number = args.u32()?;
    args.end()?;

    let Accounts { payer, zone, mut meter_page, .. } = accounts;
    let zone = zone.zone;
    let seeds: [&[u8]; 3] = [b"page", &zone.to_le_bytes(), &number.to_le_bytes()];
    let bump = pda::create(&mut meter_page, payer, program_id, &seeds, size_of::<MeterPage>())?;
    // Written in place: a page is larger than a stack frame.
    pda::fill_head(&mut meter_page, MeterPage::DISCRIMINATOR)?;
    let mut page = checks::load_mut::<MeterPage>(&mut meter_page)?;
    page.page = number;
    page.zone = zone;
    page.bump = bump;
    page.format = PAGE_FORMAT;
    history::fold(&mut page, CREATE_PAGE, 0, data, &[]);
    PageCreated::emit(zone, number);
    Ok(())
}
