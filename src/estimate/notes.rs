//! What an estimate takes for granted, and what its reader should know.

use crate::bytes::Bytes;
use crate::catalog::{Gpu, UsableBasis};
use crate::model::Mixer;
use crate::plan::{AttentionKernel, Plan, Storage};
use crate::replay::Dtype;
use crate::scenario::{Harness, Release, Scenario, Stack, Transformers};
use crate::stack::unsloth::{Route, route};

/// What was taken for granted.
pub fn assumptions(scenario: &Scenario, plan: &Plan, gpu: Option<&Gpu>) -> Vec<String> {
    const REST: &str = "torch 2.11, transformers 5.17, PEFT 0.21, bitsandbytes 0.50";
    let versions = match (plan.stack, scenario.transformers, scenario.release) {
        (Stack::Hf, Transformers::Current, _) => format!("{REST}, accelerate 1.15"),
        (Stack::Hf, earlier, _) => format!("{}, all else as with {REST}", earlier.label()),
        (Stack::Unsloth, _, Release::Current) => {
            format!("unsloth and unsloth_zoo 2026.10.9, TRL 1.15, {REST}")
        }
        (Stack::Unsloth, _, earlier) => format!("{}, all else as with {REST}", earlier.label()),
    };
    let mut notes = vec![
        format!("{versions}; one GPU, Linux, nothing else on the card"),
        match &plan.lengths {
            Some(lengths) => format!(
                "every micro-batch holds {} sequences of {} tokens in all, the longest of {}",
                plan.batch, lengths.sum, lengths.longest
            ),
            None => format!(
                "every micro-batch holds {} sequences of exactly {} tokens",
                plan.batch, plan.seq
            ),
        },
    ];
    if let Some(gpu) = gpu {
        let basis = match gpu.usable_basis() {
            UsableBasis::Seen => "the smallest total PyTorch has been seen to print",
            UsableBasis::Reported => "what nvidia-smi reports, less what the driver keeps",
            UsableBasis::Nominal => "its nominal size",
        };
        notes.push(format!(
            "{} has {} to use: {basis}",
            gpu.name,
            Bytes(gpu.usable_bytes())
        ));
    }
    if gpu.is_none() && scenario.compute_capability.is_none() {
        let (major, minor) = plan.device.capability;
        notes.push(format!(
            "no card named: kernels of compute capability {major}.{minor}"
        ));
    }
    if plan.device.capability.0 >= 9 && plan.attention == AttentionKernel::Flash {
        notes.push("attention by PyTorch's flash kernel; cuDNN's, which Hopper and later may prefer, takes a workspace of unknown size".into());
    }
    if plan.stack == Stack::Unsloth {
        notes.extend(unsloth(plan));
    }
    match plan.arch.recurrence.as_ref().map(|r| r.mixer) {
        Some(Mixer::DeltaNet(_)) => notes.push(
            "linear attention in PyTorch's own operations, as transformers runs it unless the packages flash-linear-attention and causal-conv1d are installed; with them other kernels run".into(),
        ),
        Some(Mixer::Convolution(_)) => notes.push(
            "short convolutions by PyTorch's own kernel, as transformers runs them unless the package causal-conv1d is installed".into(),
        ),
        None => {}
    }
    if plan.harness != Harness::Trainer {
        let outputs = match plan.keep_outputs {
            true => "holds the model's output through backward",
            false => "drops the model's output before backward",
        };
        notes.push(format!("a plain training loop that {outputs}"));
    }
    notes
}

/// The paths that Unsloth takes by itself, and why.
#[inline(never)]
fn unsloth(plan: &Plan) -> Vec<String> {
    if plan.generic {
        let why = "full fine-tuning, FastModel and Gemma 3 take them";
        return vec![format!("transformers' own layers, each compiled: {why}")];
    }
    let layers = match plan.padding_free {
        true => format!(
            "hand-written layers, eager, as for padding-free batches: one row of {} documents, attention by PyTorch's SDPA document by document (neither flash-attn nor xformers installed)",
            plan.documents()
        ),
        false => "hand-written layers, each compiled, as for padded batches on torch 2.11 and later".into(),
    };
    let card = match plan.memory {
        None => "no card named: taken for one above 24.5 GiB",
        Some(_) => "chosen by the card's memory and capability",
    };
    let loss = match route(plan) {
        Route::Tiles { rows, columns } => {
            format!("loss in tiles of {rows} rows x {columns} columns of logits ({card})")
        }
        Route::Chunks { rows } => format!(
            "loss in chunks of {rows} rows x {} logits ({card})",
            plan.arch.vocab
        ),
    };
    vec![layers, loss]
}

/// What the user should know.
pub fn warnings(scenario: &Scenario, plan: &Plan, gpu: Option<&Gpu>, managed: u64) -> Vec<String> {
    let mut notes = plan.substitutions.clone();
    let bf16 = plan.autocast == Some(Dtype::Bf16) || plan.dtype == Dtype::Bf16;
    if let (Some(gpu), true) = (gpu, bf16)
        && !gpu.bf16
    {
        notes.push(format!(
            "{} has no bf16; use fp16 weights and fp16 autocast there",
            gpu.name
        ));
    }
    if plan.attention == AttentionKernel::Math && scenario.attention == crate::scenario::Attention::Sdpa {
        notes.push(
            "no fused attention kernel runs this on the card: attention keeps sequence x sequence probabilities in fp32"
                .into(),
        );
    }
    if plan.towers > 0 {
        notes.push(format!(
            "the model is trained on text: the {} of its vision and audio towers and projectors are counted as frozen {} weights, without activations",
            Bytes(plan.towers.saturating_mul(plan.dtype.size())),
            if plan.dtype == Dtype::F32 { "fp32" } else { "16-bit" }
        ));
    }
    if plan.storage == Storage::EightBit {
        notes.push(
            "LLM.int8 holds the input of every linear layer until backward has ended, with checkpointing too; columns of outliers, which depend on values, are not counted"
                .into(),
        );
    }
    if managed > 0 {
        notes.push(format!(
            "{} of optimizer states lie in managed memory: outside PyTorch's figures, on the GPU while there is room, on the host otherwise",
            Bytes(managed)
        ));
    }
    notes
}
