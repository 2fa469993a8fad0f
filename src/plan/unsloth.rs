//! What Unsloth decides by itself: the attention kernel, and what of a scenario its stack can run.

use super::weights::Weights;
use super::{AttentionKernel, not_modelled, sdpa};
use crate::estimate::EstimateError;
use crate::model::{Architecture, Family, OldNames, PartKind};
use crate::quant::Storage;
use crate::replay::Dtype;
use crate::scenario::{Attention, Checkpointing, Harness, Loader, Method, Objective, Qat, Release, Scenario};

/// The kernel of packed segments: grouped heads where flash runs, else heads repeated before the call
/// (`unsloth/utils/attention_dispatch.py: _sdpa_packed_segments`).
#[inline(never)]
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

/// Experts under Unsloth are adapted by the names of an MLP's
/// (`unsloth/models/_utils.py: get_moe_target_modules`).
#[inline(never)]
pub(super) fn name_experts(arch: &mut Architecture) {
    let renamed = matches!(arch.family, Family::GptOss | Family::Qwen3Moe);
    if let Some(experts) = arch.experts.as_mut().filter(|_| renamed) {
        experts.old_names = Some(OldNames {
            gate_up: ["gate_proj", "up_proj"],
            down: "down_proj",
        });
    }
}

/// Of preferences, the run as its micro-batches go through the model: two rows a pair, padded
/// (`trl/trainer/dpo_trainer.py: DataCollatorForPreference`).
#[inline(never)]
pub(super) fn pairs(s: &Scenario) -> Scenario {
    Scenario {
        batch: s.batch.saturating_mul(2),
        padding_free: false,
        ..s.clone()
    }
}

/// Families with hand-written layers (`unsloth/models/llama.py`, `mistral.py`, `qwen2.py`, `qwen3.py`).
fn is_hand_written(arch: &Architecture) -> bool {
    arch.family == Family::Llama && arch.experts.is_none()
}

/// Do the layers run as transformers wrote them, compiled: `FastModel`, which full fine-tuning and other architectures
/// take too (`unsloth/models/loader.py: FastLanguageModel.from_pretrained`)?
#[inline(never)]
pub(super) fn compiles(s: &Scenario, arch: &Architecture) -> bool {
    s.method == Method::Full || s.loader == Loader::FastModel || !is_hand_written(arch)
}

/// Refuses what is not written.
#[inline(never)]
pub(super) fn check(
    s: &Scenario,
    arch: &Architecture,
    weights: &Weights,
    capability: (u32, u32),
) -> Result<(), EstimateError> {
    let compiles = compiles(s, arch);
    let own = match s.release {
        Release::Current => own(s, arch, weights, compiles, capability),
        _ => past(s, weights, compiles, capability),
    };
    let qat = (
        s.qat != Qat::Off && !can_fake_quantize(s, weights, compiles),
        "quantization-aware training in other runs than of adapters alone, in padding-free batches, on a hand-written model in 16 bit",
    );
    let is_eager = !compiles && s.padding_free && s.release == Release::Current;
    let dora = (
        s.lora.use_dora && !(is_eager && s.objective == Objective::Sft && !is_fp8(weights.storage)),
        "DoRA under Unsloth but in padding-free batches of hand-written layers",
    );
    for (used, what) in own.into_iter().chain(shared(s, weights)).chain([qat, dora]) {
        if used {
            return not_modelled(what);
        }
    }
    Ok(())
}

fn is_fp8(storage: Storage) -> bool {
    matches!(storage, Storage::Float8Rows | Storage::Float8Blocks)
}

/// Does every linear layer of a decoder layer run inside a fused function?
fn is_all_fused(s: &Scenario, arch: &Architecture) -> bool {
    let all = arch.kinds().iter().all(|&(index, _)| {
        arch.layer(index).iter().all(|part| match part.kind {
            PartKind::Linear { bias, .. } => !bias && s.lora.targets.contains(part.name()),
            PartKind::Weight(_) => true,
        })
    });
    all && s.lora.dropout == 0.0
}

/// Does every linear layer that is fake-quantized run uncompiled?
fn can_fake_quantize(s: &Scenario, weights: &Weights, compiles: bool) -> bool {
    s.method == Method::Lora
        && s.release == Release::Current
        && s.objective == Objective::Sft
        && s.padding_free
        && !compiles
        && weights.storage == Storage::Plain
        && s.lora.modules_to_save.is_empty()
        && !s.lora.use_dora
}

/// What the layers of earlier releases lack.
fn past(
    s: &Scenario,
    weights: &Weights,
    compiles: bool,
    capability: (u32, u32),
) -> Vec<(bool, &'static str)> {
    vec![
        (
            s.objective == Objective::Dpo,
            "preference tuning in Unsloth before 2026",
        ),
        (
            compiles,
            "layers that are not hand-written, and full fine-tuning, in Unsloth before 2026",
        ),
        (is_fp8(weights.storage), "FP8 weights in Unsloth before 2026"),
        (
            s.lora.dropout > 0.0,
            "dropout in the adapters in Unsloth before 2026",
        ),
        (
            !s.lora.modules_to_save.is_empty() && capability.0 < 8,
            "embeddings and heads trained in fp32 beside an fp16 model under Unsloth",
        ),
    ]
}

/// What one of the two kinds of layers lacks.
fn own(
    s: &Scenario,
    arch: &Architecture,
    weights: &Weights,
    compiles: bool,
    capability: (u32, u32),
) -> Vec<(bool, &'static str)> {
    let window = arch.attention.sliding_window;
    if !compiles {
        return vec![
            (
                s.objective == Objective::Dpo && !s.lora.modules_to_save.is_empty(),
                "preference tuning with trained embeddings and heads",
            ),
            (
                !s.padding_free && is_fp8(weights.storage),
                "Unsloth's compiled layers on FP8 weights",
            ),
            (
                weights.storage == Storage::Float8Blocks && !is_all_fused(s, arch),
                "FP8 weights by blocks outside Unsloth's fused functions (targets that leave linear layers out, biases, dropout)",
            ),
            (
                window.is_some_and(|w| w < s.seq),
                "Unsloth's packed attention with a sliding window shorter than the sequence",
            ),
        ];
    }
    let is_gemma = arch.family == Family::Gemma3;
    let has_tower = matches!(super::towers(s), Ok(weights) if weights > 0);
    let is_gpt_oss = arch.family == Family::GptOss;
    let is_phi = arch.family == Family::Phi3;
    // Experts in every layer, and none that sees every token.
    let experts = arch.experts.as_ref();
    let is_routed = arch.family == Family::Qwen3Moe
        && experts.is_some_and(|e| e.first == 0 && e.every == 1 && e.shared_width.is_none());
    let four_bit = matches!(weights.storage, Storage::FourBit { .. });
    vec![
        (
            s.objective == Objective::Dpo,
            "preference tuning of layers that are not hand-written",
        ),
        (
            arch.family == Family::Gemma2,
            "Gemma 2's layers, which Unsloth compiles and on whose backward pass Inductor of PyTorch 2.11 fails (_inductor/pattern_matcher.py: replace_by_example)",
        ),
        (
            !is_hand_written(arch) && !is_gemma && !is_gpt_oss && !is_phi && !is_routed,
            "Unsloth's compiled layers of this architecture",
        ),
        (
            is_routed && s.method == Method::Full,
            "mixtures of experts that are trained whole under Unsloth",
        ),
        (
            is_routed && !weights.kept.is_empty(),
            "layers of a mixture of experts left in 16 bit under Unsloth",
        ),
        (
            is_phi
                && s.method != Method::Full
                && ["qkv_proj", "gate_up_proj"]
                    .iter()
                    .any(|name| s.lora.targets.contains(name)),
            "adapters on Phi-3's joined projections (qkv_proj, gate_up_proj) under Unsloth",
        ),
        (
            is_phi && arch.attention.rotary_dim != arch.attention.head_dim,
            "partly rotated heads in Unsloth's compiled layers",
        ),
        (
            is_gpt_oss && !four_bit && weights.storage != Storage::Mxfp4,
            "GPT-OSS in 16 bit under Unsloth (use weights=mxfp4, which is how it is published, or weights=nf4-dq)",
        ),
        (
            weights.storage == Storage::Mxfp4 && !is_gpt_oss,
            "MXFP4 of other models than GPT-OSS",
        ),
        (
            weights.storage == Storage::Mxfp4 && capability < (8, 0),
            "MXFP4 on cards without grouped products in bf16, where Unsloth dequantizes experts to 16 bit (unsloth_zoo/temporary_patches/mxfp4.py: keep_mxfp4_experts_packed; use weights=nf4-dq)",
        ),
        (
            is_gpt_oss && !weights.kept.is_empty(),
            "layers of GPT-OSS left in 16 bit under Unsloth",
        ),
        (
            is_gemma && s.method == Method::Full && (capability < (8, 0) || has_tower),
            "full fine-tuning of Gemma 3 with Unsloth on cards without bf16, or with a vision tower",
        ),
        (is_fp8(weights.storage), "FP8 weights in compiled layers"),
        (
            s.method != Method::Full
                && !s.lora.modules_to_save.is_empty()
                && (is_gpt_oss || capability < (8, 0)),
            "trained embeddings and heads beside GPT-OSS, and beside compiled layers on cards without bf16",
        ),
        (
            capability < (8, 0) && !is_gpt_oss && !is_gemma,
            "Unsloth's compiled layers on cards without bf16",
        ),
        (
            !is_gemma && !is_gpt_oss && window.is_some_and(|w| w < s.seq),
            "sliding windows shorter than the sequence in compiled layers",
        ),
    ]
}

/// What both kinds lack.
fn shared(s: &Scenario, weights: &Weights) -> Vec<(bool, &'static str)> {
    vec![
        (
            !(matches!(
                weights.storage,
                Storage::Plain | Storage::FourBit { .. } | Storage::Mxfp4
            ) || is_fp8(weights.storage)),
            "8-bit weights of bitsandbytes or torchao under Unsloth (load_in_8bit)",
        ),
        (weights.dtype == Dtype::F32, "fp32 weights under Unsloth"),
        (s.harness != Harness::Trainer, "Unsloth without Trainer"),
        (s.liger, "Liger kernels under Unsloth"),
        (s.padding, "a padding mask under Unsloth"),
        (s.use_cache, "a key-value cache under Unsloth"),
        (s.attention != Attention::Sdpa, "eager attention under Unsloth"),
        (
            s.checkpointing == Checkpointing::Hf,
            "non-reentrant checkpointing under Unsloth (it checkpoints reentrantly: checkpointing=hf-reentrant)",
        ),
    ]
}
