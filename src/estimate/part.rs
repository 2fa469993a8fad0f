//! The parts of the stacked bars, from the ground up. First what the run needs: the categories of live tensors at the
//! peak (together *allocated*), the allocator's gaps (up to *least capacity*), the CUDA context. Then what it takes when
//! it can: cache that the allocator gives back when memory runs short (up to *process*).

use crate::estimate::{Category, Estimate};
use serde::{Deserialize, Serialize};

/// One part of a stacked bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Part {
    /// Live tensors of one category; together they are *allocated*.
    Live(Category),
    /// *Least capacity* less *allocated*.
    Gaps,
    /// *Process* less *reserved*.
    Context,
    /// *Reserved* less *least capacity*.
    Cache,
}

impl Part {
    /// Every part, in the order in which bars are stacked.
    pub fn all() -> impl Iterator<Item = Part> {
        Category::ALL
            .iter()
            .copied()
            .map(Part::Live)
            .chain([Part::Gaps, Part::Context, Part::Cache])
    }

    /// The name shown to a person.
    pub fn label(self) -> &'static str {
        match self {
            Part::Live(category) => category.label(),
            Part::Gaps => "allocator gaps",
            Part::Context => "CUDA context",
            Part::Cache => "spare cache",
        }
    }

    /// One sentence: what it holds and why it is there.
    pub fn note(self) -> &'static str {
        match self {
            Part::Live(category) => category.note(),
            Part::Gaps => "least capacity less allocated: what fits into no block of the caching allocator",
            Part::Context => {
                "process less reserved: CUDA context, loaded kernels and libraries; varies from run to run"
            }
            Part::Cache => {
                "reserved less least capacity: freed blocks kept for reuse, given back when memory runs short"
            }
        }
    }

    /// The CSS class that gives its colour.
    pub fn class(self) -> &'static str {
        match self {
            Part::Live(category) => match category {
                Category::Weights => "part part-weights",
                Category::QuantState => "part part-quant-state",
                Category::Adapters => "part part-adapters",
                Category::Gradients => "part part-gradients",
                Category::OptimizerStates => "part part-optimizer-states",
                Category::Activations => "part part-activations",
                Category::Recomputed => "part part-recomputed",
                Category::LogitsLoss => "part part-logits-loss",
                Category::Temporaries => "part part-temporaries",
                Category::CublasWorkspace => "part part-workspace",
                Category::Inputs => "part part-inputs",
                Category::Buffers => "part part-buffers",
                Category::Other => "part part-other",
            },
            Part::Gaps => "part part-gaps",
            Part::Context => "part part-context",
            Part::Cache => "part part-cache",
        }
    }
}

/// The parts of an estimate that are not empty, in stacking order, in bytes. They sum to the expected process memory, or
/// to what is needed where that is more (least capacity comes in steps of 32 MiB).
pub fn parts(estimate: &Estimate) -> Vec<(Part, u64)> {
    let bytes = |part| match part {
        Part::Live(category) => estimate.breakdown.get(&category).copied().unwrap_or(0),
        Part::Gaps => estimate
            .least_capacity_bytes
            .saturating_sub(estimate.allocated_bytes),
        Part::Context => context(estimate),
        Part::Cache => estimate
            .reserved_bytes
            .saturating_sub(estimate.least_capacity_bytes),
    };
    let sized = Part::all().map(|part| (part, bytes(part)));
    sized.filter(|(_, bytes)| *bytes > 0).collect()
}

/// What the run needs of the card: least capacity and the expected CUDA context. The verdict compares this.
pub fn needed(estimate: &Estimate) -> u64 {
    estimate.least_capacity_bytes.saturating_add(context(estimate))
}

/// The interval of [`needed`]: the context is what varies.
pub fn needed_range(estimate: &Estimate) -> [u64; 2] {
    let context = estimate.context_bytes;
    [context.low, context.high].map(|context| estimate.least_capacity_bytes.saturating_add(context))
}

fn context(estimate: &Estimate) -> u64 {
    estimate.context_bytes.expected
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{estimate::estimate, scenario::Scenario};

    #[test]
    fn parts_sum_to_the_process() {
        let estimate = estimate(&Scenario::default()).unwrap();
        let sum: u64 = parts(&estimate).iter().map(|(_, bytes)| bytes).sum();
        assert_eq!(sum, estimate.process_bytes.expected);
    }

    #[test]
    fn what_is_needed_and_the_headroom_make_the_card() {
        let estimate = estimate(&Scenario::default()).unwrap();
        let card = needed(&estimate) as i64 + estimate.headroom_bytes.unwrap();
        assert_eq!(card, estimate.capacity_bytes.unwrap() as i64);
        let [low, high] = needed_range(&estimate);
        assert!(low <= needed(&estimate) && needed(&estimate) <= high);
    }
}
