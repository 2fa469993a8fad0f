//! The least device memory with which a run gets through: under pressure the allocator gives cached segments back.

use crate::bytes::MIB;
use crate::replay::Recording;
use crate::replay::allocator::{Served, serve};

/// Answers are multiples of this, rounded up.
const STEP: u64 = 32 * MIB;

/// The smallest capacity for the allocator with which the whole run, loading included, does not end out of memory.
pub fn least(recording: &Recording, served: &Served) -> u64 {
    // Nothing below what is allocated works, what is reserved without pressure does.
    let mut fails = served.highest_allocated / STEP;
    if served.highest_allocated.is_multiple_of(STEP) && fails > 0 {
        fails -= 1;
    }
    let mut works = served.highest_reserved.div_ceil(STEP);
    while works > fails + 1 {
        let middle = fails + (works - fails) / 2;
        match serve(recording, Some(middle * STEP)) {
            Ok(_) => works = middle,
            Err(_) => fails = middle,
        }
    }
    works * STEP
}
