//! The wire format: a meter's messages, byte by byte. Fixed layouts, integers only, little-endian, UTC. No allocation, no I/O.
//! The caller passes a hash as [`Sha256`]: the runtime's in a program on chain, the peripheral's in a device.
#![no_std]

#[cfg(test)]
extern crate std;

mod bytes;
pub mod frame;
pub mod identity;
pub mod keys;
pub mod merkle;
pub mod payload;
pub mod quality;

/// The error of a codec: the bytes are no message of this format. The numbers of verdicts are the oracle's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WireError {
    /// Another layout: wrong length, magic or fixed bytes, or a field outside its range.
    Malformed,
    /// A version other than 1.
    UnknownVersion,
    /// A kind that this reader does not know.
    UnknownKind,
}

impl WireError {
    /// Returns the number of the verdict's reason, see [`reason`].
    pub const fn reason(self) -> u16 {
        match self {
            Self::Malformed => 1,
            Self::UnknownVersion | Self::UnknownKind => 2,
        }
    }
}

/// SHA-256, as the caller's platform provides it.
pub trait Sha256 {
    /// Returns the hash of the concatenation of `parts`.
    fn hash(&self, parts: &[&[u8]]) -> [u8; 32];
}

/// Length of a window in seconds; a window's number is floor(unix seconds / 900).
pub const WINDOW_SECONDS: u64 = 900;

/// Stable numbers of the reasons of a verdict, never reused.
pub mod reason {
    /// Every reason with its number and name.
    pub const ALL: [(u16, &str); 23] = [
        (1, "malformed"),
        (2, "unknown version"),
        (3, "wrong network"),
        (4, "unknown meter"),
        (5, "wrong key"),
        (6, "bad signature"),
        (7, "duplicate"),
        (8, "equivocation"),
        (9, "predecessor pending"),
        (10, "chain broken"),
        (11, "register fell"),
        (12, "above physical limit"),
        (13, "from the future"),
        (14, "before enrolment"),
        (15, "key suspended"),
        (16, "root mismatch"),
        (17, "root not reproducible"),
        (18, "storage failure"),
        (19, "far in the future"),
        (20, "window not rising"),
        (21, "unexpected enrolment"),
        (22, "derivation mismatch"),
        (23, "over quota"),
    ];
}
