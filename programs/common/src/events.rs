//! Events: "Program data:" logs that start with Anchor's discriminator and go on with Borsh fields, built in a fixed buffer.

use crate::sys;

/// An event of at most `N` bytes, discriminator included. What does not fit is a mistake of the program and panics.
pub struct Event<const N: usize> {
    bytes: [u8; N],
    used: usize,
}

impl<const N: usize> Event<N> {
    /// `discriminator`: that of "event:" and the event's name.
    #[inline(always)]
    pub fn new(discriminator: u64) -> Self {
        Self { bytes: [0; N], used: 0 }.raw(&discriminator.to_le_bytes())
    }

    #[inline(always)]
    #[allow(clippy::arithmetic_side_effects, clippy::indexing_slicing)] // overflow panics, see above
    pub fn raw(mut self, part: &[u8]) -> Self {
        let end = self.used + part.len();
        self.bytes[self.used..end].copy_from_slice(part);
        self.used = end;
        self
    }

    #[inline(always)]
    pub fn u8(self, value: u8) -> Self {
        self.raw(&[value])
    }

    #[inline(always)]
    pub fn u16(self, value: u16) -> Self {
        self.raw(&value.to_le_bytes())
    }

    #[inline(always)]
    pub fn u32(self, value: u32) -> Self {
        self.raw(&value.to_le_bytes())
    }

    #[inline(always)]
    pub fn u64(self, value: u64) -> Self {
        self.raw(&value.to_le_bytes())
    }

    /// Writes the log entry.
    pub fn emit(self) {
        sys::log_data(self.bytes.get(..self.used).unwrap_or(&[]));
    }
}
