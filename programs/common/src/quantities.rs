//! Quantities as types, so that the compiler refuses to mix energy, tokens and time. Each has the bytes of its number and costs
//! nothing.

use bytemuck::{Pod, Zeroable};

/// Base units of GXT that one watt-hour is worth: 1 kWh = 1 GXT = 1,000,000 base units.
pub const BASE_UNITS_PER_WH: u64 = 1_000;

macro_rules! amount {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[repr(transparent)]
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Pod, Zeroable)]
        pub struct $name(u64);

        impl $name {
            pub const ZERO: Self = Self(0);

            #[inline(always)]
            pub const fn new(value: u64) -> Self {
                Self(value)
            }

            #[inline(always)]
            pub const fn get(self) -> u64 {
                self.0
            }

            #[inline(always)]
            pub const fn is_zero(self) -> bool {
                self.0 == 0
            }

            /// Returns None above 64 bits.
            #[inline(always)]
            pub fn checked_add(self, other: Self) -> Option<Self> {
                self.0.checked_add(other.0).map(Self)
            }

            /// Returns None below zero.
            #[inline(always)]
            pub fn checked_sub(self, other: Self) -> Option<Self> {
                self.0.checked_sub(other.0).map(Self)
            }

            #[inline(always)]
            pub const fn saturating_add(self, other: Self) -> Self {
                Self(self.0.saturating_add(other.0))
            }

            #[inline(always)]
            pub const fn saturating_sub(self, other: Self) -> Self {
                Self(self.0.saturating_sub(other.0))
            }
        }
    };
}

amount!(
    /// Energy in watt-hours.
    Wh
);
amount!(
    /// An amount of GXT in its smallest unit: a millionth of a token, a thousandth of a watt-hour.
    BaseUnits
);

impl Wh {
    /// Returns the tokens that the energy is worth. None above 64 bits.
    #[inline(always)]
    pub fn base_units(self) -> Option<BaseUnits> {
        self.0.checked_mul(BASE_UNITS_PER_WH).map(BaseUnits)
    }
}

impl BaseUnits {
    /// Returns the whole watt-hours in the amount.
    #[inline(always)]
    pub const fn whole_wh(self) -> Wh {
        Wh(self.0 / BASE_UNITS_PER_WH)
    }
}

/// A window of 15 minutes by its number: unix seconds divided by 900.
#[repr(transparent)]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Pod, Zeroable)]
pub struct Window(u32);

impl Window {
    /// Window 0. In accounts it means "no window".
    pub const UNSET: Self = Self(0);

    #[inline(always)]
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    #[inline(always)]
    pub const fn get(self) -> u32 {
        self.0
    }

    #[inline(always)]
    pub const fn is_unset(self) -> bool {
        self.0 == 0
    }

    /// Returns the window after this one. None at the last number.
    #[inline(always)]
    pub fn next(self) -> Option<Self> {
        self.0.checked_add(1).map(Self)
    }

    /// Returns the window before this one. Window 0 returns itself.
    #[inline(always)]
    pub const fn before(self) -> Self {
        Self(self.0.saturating_sub(1))
    }

    /// Returns the window `windows` later, limited to the last number.
    #[inline(always)]
    pub const fn plus(self, windows: u32) -> Self {
        Self(self.0.saturating_add(windows))
    }

    /// Returns how many windows this one is after `earlier`; 0 when it is not later.
    #[inline(always)]
    pub const fn since(self, earlier: Self) -> u32 {
        self.0.saturating_sub(earlier.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kilowatt_hour_is_a_token_and_a_fraction_of_a_watt_hour_is_lost() {
        assert_eq!(Wh::new(1_000).base_units(), Some(BaseUnits::new(1_000_000)));
        assert_eq!(BaseUnits::new(1_999).whole_wh(), Wh::new(1));
        assert_eq!(Wh::new(u64::MAX / 1_000).base_units().map(BaseUnits::whole_wh), Some(Wh::new(u64::MAX / 1_000)));
        assert_eq!(Wh::new(u64::MAX / 1_000 + 1).base_units(), None);
    }

    #[test]
    fn sums_and_differences_stay_in_range() {
        let most = Wh::new(u64::MAX);
        assert_eq!(most.checked_add(Wh::new(1)), None);
        assert_eq!(Wh::ZERO.checked_sub(Wh::new(1)), None);
        assert_eq!((most.saturating_add(most), Wh::ZERO.saturating_sub(most)), (most, Wh::ZERO));
        assert!(Wh::ZERO.is_zero() && !most.is_zero());
    }

    #[test]
    fn windows_end_at_their_last_number() {
        let last = Window::new(u32::MAX);
        assert_eq!((last.next(), Window::UNSET.next()), (None, Some(Window::new(1))));
        assert_eq!((last.plus(1), Window::UNSET.before()), (last, Window::UNSET));
        assert_eq!((Window::new(9).since(Window::new(4)), Window::new(4).since(Window::new(9))), (5, 0));
    }

    #[test]
    fn they_have_the_bytes_of_their_numbers() {
        assert_eq!(bytemuck::bytes_of(&Wh::new(0x0102)), &[2, 1, 0, 0, 0, 0, 0, 0]);
        assert_eq!(bytemuck::bytes_of(&Window::new(0x0102)), &[2, 1, 0, 0]);
    }
}
