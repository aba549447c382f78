//! create_page: an empty page of a zone. Anyone pays.

use gtx_common::{
    GtxError,
    args::Args,
    checks::{self, Account},
    events::PageCreated,
    ids,
    layout::{
        oracle::{MeterPage, PAGE_FORMAT},
        registry::Zone,
    },
    pda,
};
use pinocchio::{AccountView, Address, ProgramResult};

use crate::{CREATE_PAGE, history};

pub fn process(program_id: &Address, accounts: &mut [AccountView], data: &[u8]) -> ProgramResult {
    let mut args = Args(data);
    let number = args.u32()?;
    args.end()?;

    let [payer, zone, page, system, ..] = accounts else {
        return Err(GtxError::MissingAccount.into());
    };
    checks::payer(payer)?;
    checks::key(system, &ids::SYSTEM)?;
    let zone = checks::load::<Zone>(zone)?.zone;

    let seeds: [&[u8]; 3] = [b"page", &zone.to_le_bytes(), &number.to_le_bytes()];
    let bump = pda::create(page, payer, program_id, &seeds, size_of::<MeterPage>())?;
    // Written in place: a page is larger than a stack frame.
    pda::fill_head(page, MeterPage::DISCRIMINATOR)?;
    let mut page = checks::load_mut::<MeterPage>(page)?;
    page.page = number;
    page.zone = zone;
    page.bump = bump;
    page.format = PAGE_FORMAT;
    history::fold(&mut page, CREATE_PAGE, 0, data, &[]);
    PageCreated::emit(zone, number);
    Ok(())
}
