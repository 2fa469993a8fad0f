//! What Unsloth decides by itself: the attention kernel, and what of a scenario its stack can run.

use super::weights::Weights;
use super::{AttentionKernel, not_modelled, sdpa};
use crate::estimate::EstimateError;
use crate::model::{Architecture, Family};
use crate::quant::Storage;
use crate::replay::Dtype;
use crate::scenario::{Attention, Checkpointing, Harness, Loader, Method, Scenario, Targets};

/// The kernel of packed segments: grouped heads where flash runs, else heads repeated before the call
/// (`unsloth/utils/attention_dispatch.py: _sdpa_packed_segments`).
pub fn attention(
    s: &Scenario,
    arch: &Architecture,
    capability: (u32, u32),
    dtype: Dtype,
) -> Result<(AttentionKernel, AttentionKernel), EstimateError> {
    let mut repeated = arch.clone();
    repeated.attention.kv_heads = repeated.attention.heads;
    repeated.attention.sliding_window = None;
    let run = Scenario {
        attention: Attention::Sdpa,
        padding: false,
        ..s.clone()
    };
    sdpa::kernels(&run, &repeated, capability, dtype)
}

/// Refuses what is not written.
pub(super) fn check(
    s: &Scenario,
    arch: &Architecture,
    weights: &Weights,
    capability: (u32, u32),
) -> Result<(), EstimateError> {
    let window = arch.attention.sliding_window;
    for (used, what) in [
        (s.method == Method::Full, "full fine-tuning with Unsloth"),
        (s.loader == Loader::FastModel, "Unsloth's FastModel"),
        (
            arch.family != Family::Llama || arch.experts.is_some(),
            "Unsloth's layers of this architecture",
        ),
        (
            !s.padding_free && capability.0 < 8,
            "Unsloth's compiled layers in fp16 (padded batches on cards before capability 8.0)",
        ),
        (
            !s.padding_free && s.lora.dropout > 0.0,
            "Unsloth's compiled layers with dropout in the adapters",
        ),
        (
            !s.padding_free && !adapts_all(&s.lora.targets),
            "Unsloth's compiled layers with adapters on some linear layers only",
        ),
        (
            !matches!(weights.storage, Storage::Plain | Storage::FourBit { .. })
                || weights.dtype == Dtype::F32,
            "Unsloth on weights in this format",
        ),
        (
            window.is_some_and(|w| w < s.seq),
            "Unsloth's packed attention with a sliding window shorter than the sequence",
        ),
        (s.harness != Harness::Trainer, "Unsloth without Trainer"),
        (s.lora.use_dora, "DoRA under Unsloth"),
        (s.liger, "Liger kernels under Unsloth"),
        (s.padding, "a padding mask under Unsloth"),
        (s.use_cache, "a key-value cache under Unsloth"),
        (s.attention != Attention::Sdpa, "eager attention under Unsloth"),
        (
            s.checkpointing == Checkpointing::Hf,
            "non-reentrant checkpointing under Unsloth (it checkpoints reentrantly: checkpointing=hf-reentrant)",
        ),
        (
            !s.lora.modules_to_save.is_empty(),
            "trained embeddings and heads under Unsloth",
        ),
    ] {
        if used {
            return not_modelled(format!("{what}: not modelled yet"));
        }
    }
    Ok(())
}

/// The linear layers of a decoder layer.
const ALL: [&str; 7] = [
    "q_proj",
    "k_proj",
    "v_proj",
    "o_proj",
    "gate_proj",
    "up_proj",
    "down_proj",
];

fn adapts_all(targets: &Targets) -> bool {
    ALL.iter().all(|name| targets.contains(name))
}
