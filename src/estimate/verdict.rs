//! Does it fit?

use super::process::{self, Context};
use super::{Estimate, Interval, Verdict};
use crate::scenario::Stack;

/// A verdict and the room that is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// The verdict.
    pub verdict: Verdict,
    /// Bytes to spare; negative when it does not fit.
    pub headroom: i64,
}

/// Judges what the allocator needs at least and the context beside it against the card's memory.
pub fn judge(least_capacity: u64, context: &Context, usable: u64) -> Room {
    room(least_capacity, context.interval(), usable)
}

fn room(least_capacity: u64, context: Interval, usable: u64) -> Room {
    let need = |context: u64| least_capacity.saturating_add(context);
    let verdict = if need(context.high) <= usable {
        Verdict::Fits
    } else if need(context.expected) <= usable {
        Verdict::Tight
    } else {
        Verdict::Exceeds
    };
    let headroom = usable as i128 - need(context.expected) as i128;
    Room {
        verdict,
        headroom: headroom.clamp(i64::MIN as i128, i64::MAX as i128) as i64,
    }
}

/// The room on a card of this memory and compute capability for a run that the allocator needs so much for.
pub(crate) fn room_on(usable_bytes: u64, capability: (u32, u32), stack: Stack, least_capacity: u64) -> Room {
    judge(least_capacity, &process::context(capability, stack), usable_bytes)
}

impl Estimate {
    /// The verdict on another card that runs the same kernels, by the memory that a process can use there.
    pub fn on(&self, usable_bytes: u64) -> Room {
        room(self.least_capacity_bytes, self.context_bytes, usable_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes::MIB;
    use crate::estimate::process::context;

    #[test]
    fn the_upper_end_of_the_interval_separates_fits_from_tight() {
        let table = context((7, 5), Stack::Hf);
        let (at, context) = (|usable| judge(1000 * MIB, &table, usable), table.interval());
        assert_eq!(at(1000 * MIB + context.high).verdict, Verdict::Fits);
        assert_eq!(at(1000 * MIB + context.high - 1).verdict, Verdict::Tight);
        assert_eq!(at(1000 * MIB + context.expected).headroom, 0);
        assert_eq!(at(1000 * MIB + context.expected - 1).verdict, Verdict::Exceeds);
    }
}
