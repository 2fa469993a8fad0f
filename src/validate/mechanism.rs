//! What a difference points to: the part of memory it lies in, and what decides that part.

use std::collections::BTreeMap;

use crate::estimate::{Category, Estimate};

/// A part of what is alive at the peak, as far as a measured breakdown can tell parts from each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    Weights,
    QuantState,
    Adapters,
    Gradients,
    OptimizerStates,
    Workspace,
    Inputs,
    Buffers,
    /// What the steps make: activations, recomputed and temporary tensors, logits and loss.
    Step,
}

impl Part {
    pub const ALL: [Part; 9] = [
        Part::Weights,
        Part::QuantState,
        Part::Adapters,
        Part::Gradients,
        Part::OptimizerStates,
        Part::Step,
        Part::Workspace,
        Part::Inputs,
        Part::Buffers,
    ];

    pub fn label(self) -> &'static str {
        match self {
            Part::Weights => "base weights",
            Part::QuantState => "quantization scales",
            Part::Adapters => "adapter",
            Part::Gradients => "gradients",
            Part::OptimizerStates => "optimizer states",
            Part::Workspace => "cuBLAS workspace",
            Part::Inputs => "inputs",
            Part::Buffers => "buffers",
            Part::Step => "activations, logits and loss",
        }
    }

    /// What decides it, and so where a difference comes from.
    pub fn mechanism(self) -> &'static str {
        match self {
            Part::Weights => "how weights are stored: which modules stay unquantized, or are turned to fp32",
            Part::QuantState => "the block scales of quantized weights: block size, double quantization",
            Part::Adapters => "which modules carry adapters, and the adapters' dtype",
            Part::Gradients => "which gradients are alive at the peak, and their dtype",
            Part::OptimizerStates => {
                "the optimizer's states: their dtype, and which tensors it keeps in 32 bit"
            }
            Part::Workspace => "the size of cuBLAS workspaces, and how many threads made one",
            Part::Inputs => "the batch: what the collator and the Trainer put on the card",
            Part::Buffers => "rotary tables and other buffers",
            Part::Step => {
                "what layers and loss keep for backward: kernels chosen, checkpointing, casts, copies of the logits"
            }
        }
    }

    fn of(category: Category) -> Part {
        match category {
            Category::Weights => Part::Weights,
            Category::QuantState => Part::QuantState,
            Category::Adapters => Part::Adapters,
            Category::Gradients => Part::Gradients,
            Category::OptimizerStates => Part::OptimizerStates,
            Category::CublasWorkspace => Part::Workspace,
            Category::Inputs => Part::Inputs,
            Category::Buffers => Part::Buffers,
            _ => Part::Step,
        }
    }

    /// The part that a measured category belongs to; what is not known is made by the steps.
    fn named(category: &str) -> Part {
        Category::ALL
            .iter()
            .find(|known| serde_json::to_value(known).is_ok_and(|name| name == category))
            .map_or(Part::Step, |known| Part::of(*known))
    }
}

/// An estimate's breakdown by part.
pub(super) fn estimated(estimate: &Estimate) -> BTreeMap<Part, u64> {
    let mut parts = BTreeMap::new();
    for (&category, &bytes) in &estimate.breakdown {
        let sum: &mut u64 = parts.entry(Part::of(category)).or_default();
        *sum = sum.saturating_add(bytes);
    }
    parts
}

/// A measured breakdown by part.
pub(super) fn measured(bytes: &BTreeMap<String, u64>) -> BTreeMap<Part, u64> {
    let mut parts = BTreeMap::new();
    for (category, &bytes) in bytes {
        let sum: &mut u64 = parts.entry(Part::named(category)).or_default();
        *sum = sum.saturating_add(bytes);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measured_categories_are_named_as_the_estimates_are() {
        assert_eq!(Part::named("quant_state"), Part::QuantState);
        assert_eq!(Part::named("cublas_workspace"), Part::Workspace);
        assert_eq!(Part::named("recomputed_and_temporaries"), Part::Step);
    }
}
