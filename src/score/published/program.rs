//! The programs that ran the published runs: what each does that its rows do not say, read in its source.

use super::fields::Published;
use crate::scenario::{AdapterDtype, Harness};
use crate::score::Refusal;

/// A program that trains with transformers, PEFT and bitsandbytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Program {
    /// What runs the steps.
    pub harness: Harness,
    /// Is the model's output object held through backward?
    pub keep_outputs: bool,
    /// Are gradients clipped?
    pub clip: bool,
    /// Does a quantized model pass through `prepare_model_for_kbit_training`?
    pub prepare_kbit: bool,
    /// Is it cast further after that?
    pub casts_kbit: bool,
    /// dtype of the adapters.
    pub adapter_dtype: AdapterDtype,
    /// Does it train with mixed precision unless a row says otherwise?
    pub autocast: bool,
    /// Does it repeat keys and values before it calls the memory-efficient kernel?
    pub repeats_heads: bool,
}

/// `out = model(input_ids=ids, labels=ids); out.loss.backward(); optimizer.step()`, without autocast or clipping.
const PLAIN_LOOP: Program = Program {
    harness: Harness::Loop,
    keep_outputs: true,
    clip: false,
    prepare_kbit: true,
    casts_kbit: false,
    adapter_dtype: AdapterDtype::Fp32,
    autocast: false,
    repeats_heads: false,
};

/// Stacks by how their name begins. The sources read: fitcheck-llm 0.3.1 (PyPI, `scripts/measure.py`);
/// github.com/DaoyuanLi2816/can-i-finetune-this (`src/canifinetune/bench/runner.py`, f841e52);
/// github.com/huggingface/peft (`method_comparison/MetaMathQA/run.py` and `default_training_params.json`);
/// github.com/foundation-model-stack/fms-acceleration (`scripts/benchmarks/`), which trains with TRL's Trainer.
const PROGRAMS: &[(&str, Program)] = &[
    (
        "HF transformers+PEFT (+bitsandbytes), one synthetic training step",
        Program {
            harness: Harness::StepFunction,
            // `_install_gqa_sdpa_shim`
            repeats_heads: true,
            ..PLAIN_LOOP
        },
    ),
    (
        "HF transformers + PEFT + bitsandbytes, project probe script",
        PLAIN_LOOP,
    ),
    (
        "HF transformers+PEFT plain training loop",
        Program {
            clip: true,
            ..PLAIN_LOOP
        },
    ),
    (
        "fms-hf-tuning",
        Program {
            harness: Harness::Trainer,
            keep_outputs: false,
            clip: true,
            // `peft_module_casting_to_bf16` (trl 0.13, `trainer/utils.py`) leaves norms in fp32 and makes the rest 16 bit
            // again.
            casts_kbit: true,
            ..PLAIN_LOOP
        },
    ),
];

/// Stacks that are no Hugging Face training loop, by a part of their name, and why their rows are refused.
const OTHER_STACKS: &[(&str, &str)] = &[
    ("lit-gpt", "LitGPT runs its own model code, which is not modelled"),
    ("litgpt", "LitGPT runs its own model code, which is not modelled"),
    (
        "fused",
        "fused Triton kernels other than Liger's are not modelled",
    ),
    (
        "fms patches",
        "fms-acceleration's patched 4-bit training is not modelled",
    ),
    ("autogptq", "GPTQ weights are not modelled"),
];

/// The program of a row.
///
/// # Errors
/// Refuses a stack that is not modelled, and one that is not known here.
pub(super) fn of(row: &Published) -> Result<Program, Refusal> {
    let stack = row.stack.to_lowercase();
    if let Some((_, reason)) = OTHER_STACKS.iter().find(|(part, _)| stack.contains(part)) {
        return Err(Refusal((*reason).into()));
    }
    let Some((_, program)) = PROGRAMS.iter().find(|(name, _)| row.stack.starts_with(name)) else {
        return Err(Refusal(format!(
            "what '{}' runs beside what its rows say is not known",
            row.stack
        )));
    };
    Ok(*program)
}
