//! Reads instruction arguments in order. Every byte must be read.

use pinocchio::error::ProgramError;

use crate::{GtxError, Wh, Window};

/// The bytes of an instruction's data that are not yet read. The discriminator precedes them.
pub struct Args<'a>(pub &'a [u8]);

impl<'a> Args<'a> {
    /// Returns the next `N` bytes. MalformedInstruction when fewer remain.
    #[inline(always)]
    pub fn bytes<const N: usize>(&mut self) -> Result<&'a [u8; N], ProgramError> {
        let (part, rest) = self.0.split_first_chunk::<N>().ok_or(ProgramError::from(GtxError::MalformedInstruction))?;
        self.0 = rest;
        Ok(part)
    }

    #[inline(always)]
    pub fn u8(&mut self) -> Result<u8, ProgramError> {
        let [value] = self.bytes::<1>()?;
        Ok(*value)
    }

    /// Reads 0 or 1. MalformedInstruction for any other byte.
    #[inline(always)]
    pub fn bool(&mut self) -> Result<bool, ProgramError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(GtxError::MalformedInstruction.into()),
        }
    }

    #[inline(always)]
    pub fn u16(&mut self) -> Result<u16, ProgramError> {
        Ok(u16::from_le_bytes(*self.bytes()?))
    }

    #[inline(always)]
    pub fn u32(&mut self) -> Result<u32, ProgramError> {
        Ok(u32::from_le_bytes(*self.bytes()?))
    }

    #[inline(always)]
    pub fn u64(&mut self) -> Result<u64, ProgramError> {
        Ok(u64::from_le_bytes(*self.bytes()?))
    }

    #[inline(always)]
    pub fn wh(&mut self) -> Result<Wh, ProgramError> {
        self.u64().map(Wh::new)
    }

    #[inline(always)]
    pub fn window(&mut self) -> Result<Window, ProgramError> {
        self.u32().map(Window::new)
    }

    /// Checks that no bytes remain. MalformedInstruction.
    #[inline(always)]
    pub fn end(self) -> Result<(), ProgramError> {
        if self.0.is_empty() { Ok(()) } else { Err(GtxError::MalformedInstruction.into()) }
    }
}
