//! The least device memory with which a run gets through: under pressure the allocator gives cached segments back.

use crate::bytes::MIB;
use crate::replay::Turns;
use crate::replay::allocator::serve::Served;
use crate::replay::allocator::trials::Trials;

/// Answers are multiples of this, rounded up.
const STEP: u64 = 32 * MIB;
/// Where the search begins, below what is allocated.
const BELOW: u64 = 256 * MIB;

/// What is known of the least capacity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bracket {
    /// It is no less than this.
    pub at_least: u64,
    /// It is no more than this.
    pub at_most: u64,
}

/// The smallest capacity for the allocator with which the whole run, loading included, does not end out of memory, found
/// by bisection between what is allocated and what is reserved, as far as `enough` asks for. Getting through is not quite
/// monotonic (where cached segments are given back decides how what follows is laid out), so the bracket is part of the
/// definition: it is the one that measured figures were found with.
pub fn bisect(turns: &Turns, served: &Served, enough: impl Fn(Bracket) -> bool) -> Bracket {
    let mut trials = Trials::new(turns, served);
    let mut gets_through = |steps: u64| trials.gets_through(steps * STEP);
    let mut fails = served.peak_allocated.saturating_sub(BELOW) / STEP;
    // Below what is allocated nothing gets through.
    let allocated = served.highest_allocated.div_ceil(STEP);
    let mut works = served.peak_reserved.div_ceil(STEP);
    while !gets_through(works) {
        (fails, works) = (works, works + BELOW / STEP);
    }
    loop {
        let bracket = Bracket {
            at_least: allocated.max(fails + 1).min(works) * STEP,
            at_most: works * STEP,
        };
        if bracket.at_least == bracket.at_most || enough(bracket) {
            return bracket;
        }
        let middle = fails + (works - fails) / 2;
        if gets_through(middle) {
            works = middle;
        } else {
            fails = middle;
        }
    }
}
