//! The page's history: a hash over every change, which proves that an exported history is complete [chain §7.5].

use gtx_common::{layout::oracle::MeterPage, sys};

/// Folds a change: history = SHA-256(old ‖ tag ‖ signer bitmap ‖ data ‖ extra). `tag` is the instruction's discriminator, and
/// `data` the bytes behind it. `extra` has the rest: a statement's payload, or the slot as written.
#[inline(always)]
pub fn fold(page: &mut MeterPage, tag: u64, signers: u8, data: &[u8], extra: &[u8]) {
    page.history = sys::sha256(&[&page.history, &tag.to_le_bytes(), &[signers], data, extra]);
}
