//! Training stacks: each lowers a plan to a program of tensor operations and records it.

mod blocks;
pub mod hf;
pub mod unsloth;

use crate::plan::Plan;
use crate::replay::{Recording, Turns};
use crate::scenario::Stack;
pub(crate) use blocks::blocks;

/// How much of a run is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Every event of every layer: for the allocator, the timeline and the breakdown.
    Full,
    /// Equal layers once, the first of a kind apart: for peaks by segments.
    Segments,
    /// As `Segments`, and the last layer of all apart, whose gradient comes from elsewhere than the others': for the list of
    /// every layer's events.
    Ends,
    /// Layers of a kind once, the first included, whose backward pass is then only bounded: as `Segments` where that does
    /// not decide the peak.
    Kinds,
}

/// Records the run: loading and two training steps (optimizer states are born in the first).
pub fn record(plan: &Plan, detail: Detail) -> Recording {
    match plan.stack {
        Stack::Hf => hf::record(plan, detail),
        Stack::Unsloth => unsloth::record(plan, detail),
    }
}

/// As [`record`] in full, from one layer of each kind where layers repeat.
pub fn turns(plan: &Plan) -> Turns {
    let expanded = match plan.stack {
        Stack::Hf => hf::turns(plan),
        Stack::Unsloth => unsloth::turns(plan),
    };
    expanded.unwrap_or_else(|| Turns::once(record(plan, Detail::Full)))
}

/// The highest live bytes of the training steps, each request rounded up to 512 bytes, by segments.
pub fn peak(plan: &Plan) -> u64 {
    match plan.stack {
        Stack::Hf => hf::peak(plan),
        Stack::Unsloth => unsloth::peak(plan),
    }
}

/// The peaks of runs that differ in their batch alone: of these batches, which ascend, by the plan of each, where there is
/// one.
pub type Row<'a> = dyn FnMut(&[u64], &mut dyn FnMut(u64) -> Option<Plan>) -> Vec<Option<u64>> + 'a;

/// Calls `f` with a function that gives rows of what [`peak`] gives, at less cost, for plans that differ from this one in
/// batch and sequence length alone.
pub fn sweep<T>(plan: &Plan, f: impl FnOnce(&mut Row) -> T) -> T {
    match plan.stack {
        Stack::Hf => hf::sweep(plan, f),
        Stack::Unsloth => f(&mut each),
    }
}

/// A row, each of its peaks for itself.
fn each(batches: &[u64], plan: &mut dyn FnMut(u64) -> Option<Plan>) -> Vec<Option<u64>> {
    let peak = |&batch| Some(peak(&plan(batch)?));
    batches.iter().map(peak).collect()
}

/// Pinned host memory that the run takes.
pub fn host_bytes(plan: &Plan) -> u64 {
    match plan.stack {
        Stack::Hf => 0,
        Stack::Unsloth => unsloth::host_bytes(plan),
    }
}
