//! How a number is stepped.

/// How a number is stepped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// By one.
    One,
    /// To the next power of two.
    Double,
}

impl Step {
    /// The next larger number.
    pub fn up(self, from: u64) -> u64 {
        match self {
            Step::One => from.saturating_add(1),
            Step::Double => from.saturating_add(1).checked_next_power_of_two().unwrap_or(from),
        }
    }

    /// The next smaller number, never below 1.
    pub fn down(self, from: u64) -> u64 {
        let down = match self {
            Step::One => from.saturating_sub(1),
            Step::Double => from.div_ceil(2).checked_next_power_of_two().unwrap_or(from / 2),
        };
        down.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::Step;

    #[test]
    fn doubling_goes_through_the_powers_of_two() {
        assert_eq!([1, 12, 16].map(|n| Step::Double.up(n)), [2, 16, 32]);
        assert_eq!([1, 12, 16, 17].map(|n| Step::Double.down(n)), [1, 8, 8, 16]);
        assert_eq!(Step::Double.up(u64::MAX), u64::MAX);
        assert_eq!(Step::Double.down(u64::MAX), 1 << 63);
    }

    #[test]
    fn stepping_never_reaches_zero() {
        assert_eq!(Step::One.down(1), 1);
        assert_eq!(Step::One.down(0), 1);
        assert_eq!(Step::Double.down(0), 1);
    }
}
