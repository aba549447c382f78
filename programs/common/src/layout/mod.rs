//! Account layouts, byte for byte as the IDL states them [chain §3].

pub mod energy;
pub mod oracle;
pub mod registry;

/// Implements `Account` with Anchor's discriminator of the type's name, and pins its size.
macro_rules! account {
    ($type:ident, $owner:ident, $size:literal) => {
        impl crate::checks::Account for $type {
            const DISCRIMINATOR: u64 = crate::discriminator("account:", stringify!($type));
            const OWNER: pinocchio::Address = crate::ids::$owner;
        }
        const _: () = assert!(size_of::<$type>() == $size);
    };
}
use account;
