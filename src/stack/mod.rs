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

/// The highest live bytes of the training steps, each request rounded up to 512 bytes, by segments.
pub fn peak(plan: &Plan) -> u64 {
    hf::peak(plan)
}

/// Longest repeating pattern of layer kinds that is looked for.
const LONGEST_PATTERN: usize = 8;

/// The layers up to the first of every kind, from `first` on: its backward is the last to use what layers of its kind
/// share, and drops it.
fn layers_apart(plan: &Plan, first: u32) -> u32 {
    let mut kinds: Vec<u32> = Vec::new();
    let mut apart = first + 1;
    for index in first..u32::try_from(plan.arch.layers).unwrap_or(u32::MAX) {
        let kind = plan.kind_of_layer(index.into());
        if !kinds.contains(&kind) {
            kinds.push(kind);
            apart = index + 1;
        }
    }
    apart
}

/// The decoder layers to record: their index and the group they stand for. By segments, the first layers stand for
/// themselves, then comes the shortest pattern of layers that repeats, then what is left.
pub(crate) fn groups(plan: &Plan, detail: Detail) -> Vec<(u32, Group)> {
    let arch = &plan.arch;
    let layers = u32::try_from(arch.layers).unwrap_or(u32::MAX);
    // Inputs of the first layers may need no gradient. The first that saves the rotary tables is the one whose backward
    // drops them.
    let apart = layers_apart(plan, u32::try_from(plan.first_layer_with_tables()).unwrap_or(0));
    let each = |from: u32| (from..layers).map(move |i| (i, Group { id: i + 1, times: 1 }));
    if detail == Detail::Full || layers < apart + 2 {
        return each(0).collect();
    }
    let kinds: Vec<u32> = (u64::from(apart)..u64::from(layers))
        .map(|i| plan.kind_of_layer(i))
        .collect();
    let repeats_of = |period: usize| {
        kinds
            .chunks_exact(period)
            .take_while(|c| *c == &kinds[..period])
            .count()
    };
    // The pattern that leaves the fewest layers to record.
    let period = (1..=LONGEST_PATTERN.min(kinds.len()))
        .min_by_key(|&period| period + kinds.len() - repeats_of(period) * period)
        .unwrap_or(1);
    let repeats = repeats_of(period) as u32;
    let period = period as u32;
    let pattern = Group {
        id: layers + 1,
        times: repeats,
    };
    let first = each(0).take(apart as usize);
    let middle = (apart..apart + period).map(|i| (i, pattern));
    let rest = each(apart + period * repeats);
    first.chain(middle).chain(rest).collect()
}
