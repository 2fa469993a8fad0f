//! The least device memory with which a run gets through: under pressure the allocator gives cached segments back.

use crate::bytes::MIB;
use crate::replay::Recording;
use crate::replay::allocator::{Served, serve};

/// Answers are multiples of this, rounded up.
const STEP: u64 = 32 * MIB;
/// Where the search begins, below what is allocated.
const BELOW: u64 = 256 * MIB;

/// The smallest capacity for the allocator with which the whole run, loading included, does not end out of memory, found
/// by bisection between what is allocated and what is reserved. Getting through is not quite monotonic (where cached
/// segments are given back decides how what follows is laid out), so the bracket is part of the definition: it is the one
/// that measured figures were found with.
pub fn least(recording: &Recording, served: &Served) -> u64 {
    let gets_through = |steps: u64| {
        let capacity = steps * STEP;
        // Without pressure nothing changes; below what is allocated nothing helps.
        capacity >= served.highest_reserved
            || (capacity >= served.highest_allocated && serve(recording, Some(capacity)).is_ok())
    };
    let mut fails = served.peak_allocated.saturating_sub(BELOW) / STEP;
    let mut works = served.peak_reserved.div_ceil(STEP);
    while !gets_through(works) {
        (fails, works) = (works, works + BELOW / STEP);
    }
    while works > fails + 1 {
        let middle = fails + (works - fails) / 2;
        if gets_through(middle) {
            works = middle;
        } else {
            fails = middle;
        }
    }
    works * STEP
}
