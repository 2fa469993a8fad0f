//! What allocations are for.

use serde::{Deserialize, Serialize};

/// What a live tensor is, in the words of the field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "tsify", derive(tsify::Tsify))]
pub enum Category {
    /// Base weights.
    Weights,
    /// Block scales of quantized weights.
    QuantState,
    /// Adapter weights.
    Adapters,
    /// Gradients of trained weights.
    Gradients,
    /// States of the optimizer.
    OptimizerStates,
    /// Made in forward and kept for backward.
    Activations,
    /// Made while a checkpointed layer is run again.
    Recomputed,
    /// Any tensor with the size of the logits.
    LogitsLoss,
    /// Gone before their phase ends.
    Temporaries,
    /// cuBLAS workspaces.
    CublasWorkspace,
    /// Token ids, labels, masks.
    Inputs,
    /// Rotary tables and other buffers.
    Buffers,
    /// The small rest.
    Other,
}

impl Category {
    /// Every category, in the order in which stacked charts draw them (from the ground up).
    pub const ALL: &'static [Category] = &[
        Category::Weights,
        Category::QuantState,
        Category::Adapters,
        Category::Gradients,
        Category::OptimizerStates,
        Category::Activations,
        Category::Recomputed,
        Category::LogitsLoss,
        Category::Temporaries,
        Category::CublasWorkspace,
        Category::Inputs,
        Category::Buffers,
        Category::Other,
    ];

    /// The name shown to a person.
    pub const fn label(self) -> &'static str {
        match self {
            Category::Weights => "base weights",
            Category::QuantState => "quantization scales",
            Category::Adapters => "adapter",
            Category::Gradients => "gradients",
            Category::OptimizerStates => "optimizer states",
            Category::Activations => "activations",
            Category::Recomputed => "recomputed activations",
            Category::LogitsLoss => "logits and loss",
            Category::Temporaries => "temporaries",
            Category::CublasWorkspace => "cuBLAS workspace",
            Category::Inputs => "inputs",
            Category::Buffers => "buffers",
            Category::Other => "other",
        }
    }

    /// One sentence: what it holds and why it is there.
    pub const fn note(self) -> &'static str {
        match self {
            Category::Weights => "the model's weights as stored on the GPU",
            Category::QuantState => "block scales and code tables of quantized weights",
            Category::Adapters => "the trained low-rank matrices",
            Category::Gradients => "gradients of the trained weights, until they are zeroed",
            Category::OptimizerStates => "what the optimizer remembers of each trained weight",
            Category::Activations => "results of the forward pass that backward needs",
            Category::Recomputed => "a checkpointed layer's results, made again for its backward pass",
            Category::LogitsLoss => {
                "tokens x vocabulary: logits, their fp32 copy, log-probabilities, gradients"
            }
            Category::Temporaries => "results that are dropped within the same phase",
            Category::CublasWorkspace => {
                "scratch of the matrix library, one for forward and one for backward"
            }
            Category::Inputs => "token ids, labels and masks of the batch",
            Category::Buffers => "rotary tables and other constants of the model",
            Category::Other => "what fits nowhere else",
        }
    }
}
