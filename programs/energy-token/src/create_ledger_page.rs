//! create_ledger_page: a ledger page is larger than what one instruction may add to an account, so it is made in two equal steps;
//! only the second one makes it a LedgerPage. Anyone pays.

use gtx_common::{
    GtxError,
    args::Args,
    checks::{self, Account},
    events::LedgerPageCreated,
    ids,
    layout::{
        energy::{LEDGER_FORMAT, LedgerPage},
        registry::Zone,
    },
    pda,
};
use pinocchio::{
    AccountView, Address, ProgramResult, Resize,
    account::MAX_PERMITTED_DATA_INCREASE,
    sysvars::{Sysvar, rent::Rent},
};
use pinocchio_system::instructions::Transfer;

pub fn process(program_id: &Address, accounts: &mut [AccountView], data: &[u8]) -> ProgramResult {
    let mut args = Args(data);
    let (zone, number) = (args.u16()?, args.u32()?);
    args.end()?;

    let [payer, zone_account, page, system, ..] = accounts else {
        return Err(GtxError::MissingAccount.into());
    };
    checks::payer(payer)?;
    checks::writable(page)?;
    checks::key(system, &ids::SYSTEM)?;
    if checks::load::<Zone>(zone_account)?.zone != zone {
        return Err(GtxError::ZoneMismatch.into());
    }
    let seeds: [&[u8]; 3] = [b"ledger", &zone.to_le_bytes(), &number.to_le_bytes()];
    if page.owned_by(&ids::SYSTEM) {
        pda::create(page, payer, program_id, &seeds, MAX_PERMITTED_DATA_INCREASE)?;
        return Ok(());
    }
    let bump = pda::check(page, program_id, &seeds)?;
    if page.data_len() != MAX_PERMITTED_DATA_INCREASE {
        return Err(GtxError::AccountAlreadyInitialized.into());
    }
    let missing = Rent::get()?.try_minimum_balance(size_of::<LedgerPage>())?.saturating_sub(page.lamports());
    if missing > 0 {
        Transfer { from: payer, to: page, lamports: missing }.invoke()?;
    }
    page.resize(size_of::<LedgerPage>())?;
    pda::fill_head(page, LedgerPage::DISCRIMINATOR)?;
    let mut page = checks::load_mut::<LedgerPage>(page)?;
    page.page = number;
    page.zone = zone;
    page.bump = bump;
    page.format = LEDGER_FORMAT;
    LedgerPageCreated::emit(zone, number);
    Ok(())
}
