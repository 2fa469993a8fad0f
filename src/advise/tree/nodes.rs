//! The decision tree of quantized fine-tuning, as data: what is asked, what each answer leads to, and why.

use super::ask::Ask;
use super::tips::Tip;

/// A question and its two ways on.
pub(super) struct Node {
    /// Stable name.
    pub id: &'static str,
    /// The question, as a person asks it.
    pub question: &'static str,
    /// How the scenario answers it.
    pub ask: Ask,
    /// What follows from yes.
    pub yes: Way,
    /// What follows from no.
    pub no: Way,
    /// The fact behind the question.
    pub fact: &'static str,
    /// Whose word the fact is.
    pub source: &'static str,
}

/// What follows from an answer: things to do, and the next question.
pub(super) struct Way {
    pub tips: &'static [Tip],
    pub next: Option<&'static str>,
}

const fn to(next: &'static str) -> Way {
    Way {
        tips: &[],
        next: Some(next),
    }
}

const fn with(tips: &'static [Tip], next: &'static str) -> Way {
    Way {
        tips,
        next: Some(next),
    }
}

/// Every node; the first is the root.
pub(super) const NODES: &[Node] = &[
    Node {
        id: "fp8-card",
        question: "Is the card Ada, Hopper or newer?",
        ask: Ask::ComputesFp8,
        yes: with(&[Tip::Fp8], "memory"),
        no: to("bf16-card"),
        fact: "FP8 matrix products need compute capability 8.9. On-the-fly row-wise quantization asks for 9.0 in Unsloth's code, so Ada cards (8.9) load FP8 repositories only",
        source: "unsloth models/loader_utils.py and fp8.py; transformers quantizers (fine-grained FP8 8.9, fbgemm 9.0)",
    },
    Node {
        id: "bf16-card",
        question: "Does it compute in bf16?",
        ask: Ask::ComputesBf16,
        yes: with(&[Tip::Bf16], "memory"),
        no: with(&[Tip::Fp16], "memory"),
        fact: "bf16 needs compute capability 8.0 (Ampere); before, training runs in fp16 with a gradient scaler, and flash attention is not available",
        source: "unsloth models/_utils.py SUPPORTS_BFLOAT16; torch sdp_utils (flash from sm_80)",
    },
    Node {
        id: "memory",
        question: "Does the run fit?",
        ask: Ask::Fits,
        yes: to("accuracy"),
        no: to("four-bit"),
        fact: "out of memory is about what the caching allocator must hold and the CUDA context beside it, not about live tensors alone",
        source: "this estimate: least capacity plus context, at the upper end of the interval",
    },
    Node {
        id: "four-bit",
        question: "Is the base loaded in 4 bit?",
        ask: Ask::FourBit,
        yes: to("optimizer"),
        no: with(&[Tip::FourBit], "optimizer"),
        fact: "nf4 with double quantization takes 0.516 bytes a weight of the linear layers; embeddings, norms and head stay at 16 bit",
        source: "bitsandbytes functional.py quantize_4bit; QLoRA, arXiv 2305.14314",
    },
    Node {
        id: "optimizer",
        question: "Are the optimizer's states 8-bit, or none?",
        ask: Ask::SmallStates,
        yes: to("batch"),
        no: with(&[Tip::Adamw8bit], "batch"),
        fact: "8-bit states save 5.97 bytes a trained weight: tenths of a GiB for usual adapters, tens of GiB for full fine-tuning",
        source: "bitsandbytes optim/optimizer.py (blocks of 256); arXiv 2110.02861",
    },
    Node {
        id: "batch",
        question: "Is the micro-batch 1?",
        ask: Ask::SmallestBatch,
        yes: to("checkpointing"),
        no: with(&[Tip::Batch], "checkpointing"),
        fact: "activations and logits grow with the tokens on the card at once; accumulated gradients do not",
        source: "TrainingArguments.gradient_accumulation_steps; Unsloth's out-of-memory advice",
    },
    Node {
        id: "checkpointing",
        question: "Are activations checkpointed?",
        ask: Ask::Checkpointed,
        yes: to("together"),
        no: with(&[Tip::Checkpointing], "together"),
        fact: "with checkpointing each layer keeps its input only; Unsloth's also moves these inputs to pinned host memory",
        source: "torch utils/checkpoint.py; unsloth_zoo gradient_checkpointing.py",
    },
    Node {
        id: "together",
        question: "Does it fit with all of these?",
        ask: Ask::FitsTogether,
        yes: with(&[Tip::Remedy], "accuracy"),
        no: with(&[Tip::Seq, Tip::Model, Tip::Card], "accuracy"),
        fact: "savings do not add up: each change moves the peak to another place, so the set is estimated as a whole",
        source: "estimates of the changed runs",
    },
    Node {
        id: "accuracy",
        question: "Is accuracy dropping?",
        ask: Ask::AccuracyDrops,
        yes: Way {
            tips: &[Tip::Dynamic4bit, Tip::Qat],
            next: None,
        },
        no: Way {
            tips: &[],
            next: None,
        },
        fact: "some layers do not stand 4 bit; the dynamic variant leaves them at 16 bit. Quantization-aware training lets the weights learn to be quantized; it needs a 16-bit base",
        source: "unsloth.ai/blog/dynamic-4bit; torchao quantization/qat",
    },
];
