//! The wire format: what a meter says, byte by byte. Fixed layouts, integers only, little-endian, UTC. No allocation, no I/O; a
//! hash comes in through [`Sha256`], so that a program on chain uses the runtime's and a device its peripheral.
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

/// Why bytes are not a message of this format. The numbers of verdicts are the oracle's; these say only what a codec sees.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WireError {
    /// Not the layout: length, magic, fixed bytes, or a field outside its range.
    Malformed,
    /// Another version than 1.
    UnknownVersion,
    /// A kind that this reader does not know.
    UnknownKind,
}

impl WireError {
    /// The number of the verdict's reason, see [`reason`].
    pub const fn reason(self) -> u16 {
        match self {
            Self::Malformed => 1,
            Self::UnknownVersion | Self::UnknownKind => 2,
        }
    }
}

/// SHA-256, by whoever has it.
pub trait Sha256 {
    /// The hash of the concatenation of `parts`.
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
