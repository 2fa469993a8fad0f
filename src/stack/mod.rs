//! Training stacks: each lowers a plan to a program of tensor operations and records it.

pub mod hf;

use crate::plan::Plan;
use crate::replay::{Group, Recording};

/// How much of a run is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Every event of every layer: for the allocator, the timeline and the breakdown.
    Full,
    /// Equal layers once, marked with how often they repeat: for peaks by segments.
    Segments,
}

/// Records the run: loading and two training steps (optimizer states are born in the first).
pub fn record(plan: &Plan, detail: Detail) -> Recording {
    hf::record(plan, detail)
}

/// The decoder layers to record: their index and the group they stand for.
pub(crate) fn groups(layers: u64, detail: Detail) -> Vec<(u32, Group)> {
    let layers = u32::try_from(layers).unwrap_or(u32::MAX);
    match detail {
        // The first layer's input may need no gradient; all others are alike.
        Detail::Segments if layers > 1 => {
            vec![
                (0, Group { id: 1, times: 1 }),
                (
                    1,
                    Group {
                        id: 2,
                        times: layers - 1,
                    },
                ),
            ]
        }
        _ => (0..layers).map(|i| (i, Group { id: i + 1, times: 1 })).collect(),
    }
}
