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
}

impl fmt::Display for Bytes {
    /// `7.90 GiB` from one tenth of a GiB on, `95.4 MiB` and `12 KiB` below.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let b = self.0 as f64;
        if self.0 >= GIB / 10 {
            write!(f, "{:.2} GiB", b / GIB as f64)
        } else if self.0 >= MIB / 10 {
            write!(f, "{:.1} MiB", b / MIB as f64)
        } else {
            write!(f, "{:.0} KiB", (b / KIB as f64).ceil())
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
}
