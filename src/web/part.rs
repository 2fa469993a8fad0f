//! The parts of the stacked bars, from the ground up: the categories of live tensors at the peak, then what the
//! caching allocator holds beyond them, then what the process holds beyond the allocator.

use crate::estimate::{Category, Estimate};

/// One part of a stacked bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Live tensors of one category; together they are *allocated*.
    Live(Category),
    /// *Reserved* less *allocated*.
    Cached,
    /// *Process* less *reserved*.
    Context,
}

impl Part {
    /// Every part, in the order in which bars are stacked.
    pub fn all() -> impl Iterator<Item = Part> {
        Category::ALL
            .iter()
            .copied()
            .map(Part::Live)
            .chain([Part::Cached, Part::Context])
    }

    /// The name shown to a person.
    pub fn label(self) -> &'static str {
        match self {
            Part::Live(category) => category.label(),
            Part::Cached => "allocator cache",
            Part::Context => "CUDA context",
        }
    }

    /// One sentence: what it holds and why it is there.
    pub fn note(self) -> &'static str {
        match self {
            Part::Live(category) => category.note(),
            Part::Cached => {
                "reserved less allocated: segments that the caching allocator keeps for reuse, and their gaps"
            }
            Part::Context => {
                "process less reserved: the CUDA context, loaded kernels and libraries; varies from run to run"
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
            Part::Cached => "part part-cached",
            Part::Context => "part part-context",
        }
    }
}

/// The parts of an estimate that are not empty, in stacking order, in bytes; they sum to the expected process memory
/// (to reserved or allocated, should a later quantity be smaller than an earlier one).
pub fn parts(estimate: &Estimate) -> Vec<(Part, u64)> {
    let beyond = |more: u64, less: u64| more.saturating_sub(less);
    Part::all()
        .map(|part| {
            let bytes = match part {
                Part::Live(category) => estimate.breakdown.get(&category).copied().unwrap_or(0),
                Part::Cached => beyond(estimate.reserved_bytes, estimate.allocated_bytes),
                Part::Context => beyond(estimate.process_bytes.expected, estimate.reserved_bytes),
            };
            (part, bytes)
        })
        .filter(|(_, bytes)| *bytes > 0)
        .collect()
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
}
