//! Reads the result of the Ed25519 precompile from the instructions sysvar [chain §7.1].

use pinocchio::{account::Ref, error::ProgramError, sysvars::instructions::Instructions};

use crate::{GtxError, ids};

/// Offsets block of one signature: count, padding, then seven u16.
const HEADER_BYTES: usize = 16;
/// "This instruction" in the precompile's instruction indexes.
const SELF: u16 = u16::MAX;

/// A key and the message of `N` bytes that it signed.
pub struct Verified<const N: usize> {
    pub key: [u8; 32],
    pub message: [u8; N],
}

/// Returns the key and message that the instruction just before the current one verified. It must be the precompile's, with
/// exactly one signature. All three instruction indexes must name that instruction itself, and all offsets must lie in its own
/// data behind the header. Otherwise the precompile would have verified other bytes than those read here.
#[inline(always)]
pub fn previous<const N: usize>(instructions: &Instructions<Ref<'_, [u8]>>) -> Result<Verified<N>, ProgramError> {
    before(instructions, 1)
}

/// Returns the key and message that the instruction `steps` before the current one verified.
#[inline(never)]
pub fn before<const N: usize>(
    instructions: &Instructions<Ref<'_, [u8]>>,
    steps: u16,
) -> Result<Verified<N>, ProgramError> {
    let own =
        instructions.load_current_index().checked_sub(steps).ok_or(ProgramError::from(GtxError::SignatureMissing))?;
    let instruction = instructions.load_instruction_at(usize::from(own))?;
    if instruction.get_program_id() != &ids::ED25519 {
        return Err(GtxError::SignatureMissing.into());
    }
    parse(instruction.get_instruction_data(), own).map_err(Into::into)
}

/// Reads the precompile's instruction data. `own` is its index in the transaction.
fn parse<const N: usize>(data: &[u8], own: u16) -> Result<Verified<N>, GtxError> {
    let header = data.first_chunk::<HEADER_BYTES>().ok_or(GtxError::SignatureMalformed)?;
    let [count, _, fields @ ..] = header;
    let fields: &[[u8; 2]; 7] = bytemuck::cast_ref(fields);
    let [signature, signature_in, key, key_in, message, size, message_in] = fields.map(u16::from_le_bytes);
    let inside = [signature_in, key_in, message_in].iter().all(|index| *index == SELF || *index == own);
    if *count != 1 || !inside {
        return Err(GtxError::SignatureMalformed);
    }
    take::<64>(data, signature)?;
    let key = *take::<32>(data, key)?;
    if usize::from(size) != N {
        return Err(GtxError::SignatureMessageMismatch);
    }
    Ok(Verified { key, message: *take::<N>(data, message)? })
}

fn take<const N: usize>(data: &[u8], at: u16) -> Result<&[u8; N], GtxError> {
    if usize::from(at) < HEADER_BYTES {
        return Err(GtxError::SignatureMalformed);
    }
    data.get(usize::from(at)..).and_then(|rest| rest.first_chunk::<N>()).ok_or(GtxError::SignatureMalformed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn data(count: u8, fields: [u16; 7]) -> Vec<u8> {
        let mut out = std::vec![count, 0];
        for field in fields {
            out.extend_from_slice(&field.to_le_bytes());
        }
        out.extend_from_slice(&[7; 32]); // key at 16
        out.extend_from_slice(&[8; 64]); // signature at 48
        out.extend_from_slice(&[9; 5]); // message at 112
        out
    }

    const GOOD: [u16; 7] = [48, SELF, 16, SELF, 112, 5, SELF];

    fn outcome(count: u8, fields: [u16; 7]) -> Result<([u8; 32], [u8; 5]), GtxError> {
        parse::<5>(&data(count, fields), 3).map(|verified| (verified.key, verified.message))
    }

    #[test]
    fn takes_what_lies_inside() {
        assert_eq!(outcome(1, GOOD), Ok(([7; 32], [9; 5])));
        assert_eq!(outcome(1, [48, 3, 16, 3, 112, 5, 3]), Ok(([7; 32], [9; 5])));
    }

    #[test]
    fn refuses_everything_else() {
        for count in [0, 2, 255] {
            assert_eq!(outcome(count, GOOD), Err(GtxError::SignatureMalformed));
        }
        for position in [1, 3, 6] {
            for index in [0, 2, 4, 65_534] {
                let mut fields = GOOD;
                fields[position] = index;
                assert_eq!(outcome(1, fields), Err(GtxError::SignatureMalformed), "{position} {index}");
            }
        }
        for (position, at) in [(0, 15), (0, 54), (0, 65_535), (2, 0), (2, 15), (2, 86), (4, 15), (4, 113), (4, 65_535)]
        {
            let mut fields = GOOD;
            fields[position] = at;
            assert_eq!(outcome(1, fields), Err(GtxError::SignatureMalformed), "{position} {at}");
        }
        assert_eq!(outcome(1, [48, SELF, 16, SELF, 112, 4, SELF]), Err(GtxError::SignatureMessageMismatch));
        assert_eq!(parse::<5>(&[1, 0, 0], 0).err(), Some(GtxError::SignatureMalformed));
    }
}
