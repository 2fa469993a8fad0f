//! Sequences of several lengths in one micro-batch.

use crate::scenario::Scenario;

/// What matters of a micro-batch's sequences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lengths {
    /// Tokens of all of them.
    pub sum: u64,
    /// Tokens of the longest.
    pub longest: u64,
}

impl Lengths {
    /// Those of a scenario that has them: each in turn, cut to `seq`.
    #[inline(never)]
    pub(super) fn of(s: &Scenario) -> Option<Self> {
        let cut = || s.lengths.iter().map(|&length| length.min(s.seq).max(1));
        let turn: u64 = cut().fold(0, u64::saturating_add);
        let count = s.lengths.len() as u64;
        let rest = s.batch.checked_rem(count)?;
        let sum = (s.batch / count).saturating_mul(turn);
        Some(Lengths {
            sum: cut().take(rest as usize).fold(sum, u64::saturating_add),
            longest: cut().take(s.batch.min(count) as usize).max()?,
        })
    }
}
