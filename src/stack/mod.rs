//! Training stacks: each lowers a plan to a program of tensor operations and records it.

pub mod hf;

use crate::model::Architecture;
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

/// The decoder layers to record: their index and the group they stand for. By segments, the first layer stands for
/// itself (its input may need no gradient), then comes the shortest pattern of layers that repeats, then what is left.
pub(crate) fn groups(arch: &Architecture, detail: Detail) -> Vec<(u32, Group)> {
    let layers = u32::try_from(arch.layers).unwrap_or(u32::MAX);
    let each = |from: u32| (from..layers).map(move |i| (i, Group { id: i + 1, times: 1 }));
    if detail == Detail::Full || layers < 3 {
        return each(0).collect();
    }
    let kinds: Vec<u32> = (1..u64::from(layers)).map(|i| arch.kind_of_layer(i)).collect();
    // The pattern that leaves the fewest layers to record.
    let recorded = |&period: &usize| {
        let repeats = kinds
            .chunks_exact(period)
            .take_while(|c| *c == &kinds[..period])
            .count();
        period + kinds.len() - repeats * period
    };
    let period = (1..=LONGEST_PATTERN.min(kinds.len()))
        .min_by_key(recorded)
        .unwrap_or(1);
    let repeats = kinds
        .chunks_exact(period)
        .take_while(|c| *c == &kinds[..period])
        .count() as u32;
    let pattern = Group {
        id: 2,
        times: repeats,
    };
    let mut groups = vec![(0, Group { id: 1, times: 1 })];
    groups.extend((1..=period as u32).map(|i| (i, pattern)));
    groups.extend(each(1 + period as u32 * repeats).map(|(i, g)| (i, Group { id: g.id + 2, ..g })));
    groups
}
