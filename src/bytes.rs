//! The unit of every size: whole bytes, printed in GiB.

use std::fmt;

/// One KiB, in bytes.
pub const KIB: u64 = 1 << 10;
/// One MiB, in bytes.
pub const MIB: u64 = 1 << 20;
/// One GiB, in bytes.
pub const GIB: u64 = 1 << 30;

/// A number of bytes. Prints as GiB (2^30 bytes) with the unit named.
///
/// ```
/// use plimsoll::bytes::Bytes;
/// assert_eq!(Bytes(8_480_000_000).to_string(), "7.90 GiB");
/// ```
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct Bytes(pub u64);

impl Bytes {
    /// The size in GiB, for charts and tables.
    pub fn gib(self) -> f64 {
        self.0 as f64 / GIB as f64
    }

    /// How many of a unit, with one decimal (`parts` is 10) or two (100). By whole numbers: what prints fractions weighs
    /// several kilobytes in the page.
    pub(crate) fn decimal(self, unit: u64, parts: u64) -> String {
        let (whole, rest) = (self.0 / unit, self.0 % unit * parts);
        let (mut whole, mut rest, half) = (whole, rest / unit, rest % unit * 2);
        if half > unit || half == unit && rest % 2 == 1 {
            rest += 1;
        }
        if rest == parts {
            (whole, rest) = (whole + 1, 0);
        }
        match parts {
            10 => format!("{whole}.{rest}"),
            _ => format!("{whole}.{rest:02}"),
        }
    }
}

impl fmt::Display for Bytes {
    /// `7.90 GiB` from one tenth of a GiB on, `95.4 MiB` and `12 KiB` below.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 >= GIB / 10 {
            write!(f, "{} GiB", self.decimal(GIB, 100))
        } else if self.0 >= MIB / 10 {
            write!(f, "{} MiB", self.decimal(MIB, 10))
        } else {
            write!(f, "{} KiB", self.0.div_ceil(KIB))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_print_with_their_binary_unit() {
        assert_eq!(Bytes(0).to_string(), "0 KiB");
        assert_eq!(Bytes(513).to_string(), "1 KiB");
        assert_eq!(Bytes(8_519_680).to_string(), "8.1 MiB");
        assert_eq!(Bytes(24 * GIB).to_string(), "24.00 GiB");
    }

    proptest::proptest! {
        #[test]
        fn decimals_are_those_of_the_standard_library(bytes in 0u64..1 << 53, eighths in 0u64..1 << 12) {
            for bytes in [bytes, eighths * (GIB / 8)] {
                proptest::prop_assert_eq!(Bytes(bytes).decimal(GIB, 10), format!("{:.1}", Bytes(bytes).gib()));
                proptest::prop_assert_eq!(Bytes(bytes).decimal(GIB, 100), format!("{:.2}", Bytes(bytes).gib()));
            }
        }
    }
}
