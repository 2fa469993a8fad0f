//! The scenario that a trainer can run, nearest to the one asked for.

use crate::scenario::{
    AdapterDtype, Autocast, BaseDtype, Checkpointing, Float8, Harness, Lora, Method, ModelRef, Optimizer,
    Scenario, SdpaBackend, Stack, Transformers, WeightFormat,
};

/// What every trainer around `transformers.Trainer` has in common: it is the harness, it drops outputs, it computes
/// attention with the kernel that PyTorch chooses.
pub(super) fn common(scenario: &Scenario, stack: Stack) -> Result<Scenario, String> {
    if scenario.float8 != Float8::Off {
        return Err("float8 products are not written into scripts".into());
    }
    let mut run = scenario.clone();
    run.set_stack(stack);
    run.harness = Harness::Trainer;
    run.keep_outputs = false;
    run.sdpa_backend = SdpaBackend::Auto;
    run.transformers = Transformers::Current;
    run.skip_modules.clear();
    run.dtype = BaseDtype::Auto;
    if stack == Stack::Hf && run.checkpointing == Checkpointing::Unsloth {
        run.checkpointing = Checkpointing::Hf;
    }
    // With checkpointing transformers turns the cache off.
    run.use_cache = false;
    if run.method == Method::Full {
        run.lora = Scenario::for_stack(stack, Method::Full).lora;
    }
    // An 8-bit base is LoRA everywhere.
    if run.method == Method::Qlora && !run.weights.is_4bit() {
        run.method = Method::Lora;
    }
    // Names of the optimizers in transformers' OptimizerNames.
    run.optimizer = match run.optimizer {
        Optimizer::AdamwTorchForloop => Optimizer::AdamwTorch,
        Optimizer::SgdMomentum => Optimizer::Sgd,
        other => other,
    };
    Ok(run)
}

/// The optimizer as `TrainingArguments.optim` names it.
pub(super) fn optim(optimizer: Optimizer) -> &'static str {
    optimizer.slug()
}

/// Weights and mixed precision that go together in trainers with one flag for both.
pub(super) fn one_dtype(run: &mut Scenario) {
    let wide = match (run.weights, run.autocast) {
        (_, Autocast::Bf16) => WeightFormat::Bf16,
        (_, Autocast::Fp16) => WeightFormat::Fp16,
        (other, Autocast::Off) => other,
    };
    if !run.weights.is_quantized() {
        run.weights = wide;
    }
}

/// Adapters at PEFT's own default.
pub(super) fn fp32_adapters(lora: &mut Lora) {
    lora.adapter_dtype = AdapterDtype::Fp32;
}

/// The weights that bitsandbytes quantizes, and plain ones; others with the reason.
pub(super) fn bitsandbytes_only(run: &Scenario, trainer: &str) -> Result<(), String> {
    use WeightFormat::{Bf16, Fp4, Fp4Dq, Fp16, Fp32, Int8, Nf4, Nf4Dq};
    match run.weights {
        Bf16 | Fp16 | Fp32 | Int8 | Nf4 | Nf4Dq | Fp4 | Fp4Dq => Ok(()),
        other => Err(format!(
            "{trainer} does not load a base as {} by itself",
            other.label()
        )),
    }
}

/// The model's name for a loader; one that the catalog does not hold is a folder of its own.
pub(super) fn model_name(run: &Scenario) -> &str {
    match &run.model {
        ModelRef::Catalog(id) => id,
        ModelRef::Config(config) => config
            .name
            .as_deref()
            .filter(|name| is_path(name))
            .unwrap_or(OWN_MODEL),
    }
}

/// Can a loader be given this name: a Hub id, or a folder's?
fn is_path(name: &str) -> bool {
    let harmless = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    name.contains('/') && name.chars().all(harmless)
}

/// Where a model outside the catalog is expected.
pub(super) const OWN_MODEL: &str = "./model";

/// The comment that leads back to the scenario: what no trainer is told, such as the card, is read from it.
pub(super) fn link(run: &Scenario) -> String {
    format!("# plimsoll: #{}\n", run.to_fragment())
}
