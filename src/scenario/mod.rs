//! What the user asks: one run of one model on one stack. Three faces, one type: this struct, JSON, and the URL.

mod choice;
mod config_problems;
mod defaults;
mod field_value;
mod fields;
mod inline;
mod json;
mod limits;
mod lora_problems;
mod model_ref;
mod number;
mod size;
mod url;
mod validate;
mod weights;

pub use choice::{
    AdapterDtype, Attention, Autocast, BaseDtype, Checkpointing, Float8, Harness, Loader, Method, Objective,
    Optimizer, Qat, Release, SdpaBackend, Stack, Transformers, WeightFormat,
};

pub use fields::Difference;
pub use inline::{from_texts, texts};
pub use model_ref::ModelRef;
pub use number::number;
pub use url::Parsed;
pub use validate::parse_capability;

use serde::{Deserialize, Serialize};

/// Which linear layers carry adapters (`LoraConfig.target_modules`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "targets: expected 'all-linear' or a list of module names"
)]
#[cfg_attr(feature = "module", derive(tsify::Tsify))]
pub enum Targets {
    /// The word `all-linear`: every linear layer but the head. Any other word is refused by validation.
    Word(String),
    /// Names of modules, such as `q_proj`.
    Modules(Vec<String>),
}

impl Targets {
    /// Every linear layer but the head.
    pub fn all_linear() -> Self {
        Targets::Word("all-linear".into())
    }

    /// Is a linear layer of this name adapted?
    pub fn contains(&self, module: &str) -> bool {
        match self {
            Targets::Word(_) => true,
            Targets::Modules(names) => names.iter().any(|n| n == module),
        }
    }
}

/// The adapter settings, named as PEFT's `LoraConfig` names them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "module", derive(tsify::Tsify))]
pub struct Lora {
    /// `r`, the rank: an adapter of a linear layer holds `r * (in + out)` weights.
    pub rank: u64,
    /// `lora_alpha`: scales the adapter; no memory.
    pub alpha: f64,
    /// `lora_dropout`: above zero each adapted layer keeps a dropped copy of its input and a mask.
    pub dropout: f64,
    /// `target_modules`.
    pub targets: Targets,
    /// `use_dora`: weight-decomposed adapters.
    pub use_dora: bool,
    /// `use_rslora`: another scale; no memory.
    pub use_rslora: bool,
    /// `modules_to_save`: modules trained whole beside the adapters.
    pub modules_to_save: Vec<String>,
    /// The dtype adapters are kept in.
    pub adapter_dtype: AdapterDtype,
}

/// One fine-tuning run. Field names follow TRL, Unsloth and PEFT where they have one.
///
/// In JSON every field may be left out: it then has the default of the `stack` and `method` that the object names
/// ([`Scenario::for_stack`]). Unknown fields are refused.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "module", derive(tsify::Tsify))]
pub struct Scenario {
    /// The model.
    pub model: ModelRef,
    /// The card, by its slug in the catalog (`rtx-4090`); without one there is no verdict.
    pub gpu: Option<String>,
    /// The training software.
    pub stack: Stack,
    /// What is trained.
    pub method: Method,
    /// How the base weights are stored.
    pub weights: WeightFormat,
    /// Modules of a quantized model that stay in 16 bit (`quantization_config.llm_int8_skip_modules`), beside those that
    /// always do; empty: those that are known of the model.
    pub skip_modules: Vec<String>,
    /// Hugging Face: the dtype of what is not quantized, beside weights that are (`from_pretrained(dtype=...)`).
    pub dtype: BaseDtype,
    /// Mixed precision.
    pub autocast: Autocast,
    /// Adapters; ignored by full fine-tuning.
    pub lora: Lora,
    /// QLoRA: call `prepare_model_for_kbit_training`, which makes everything that is not quantized fp32.
    pub prepare_kbit: bool,
    /// Sequences per micro-batch (`per_device_train_batch_size`).
    pub batch: u64,
    /// Tokens per sequence (`max_length` / `max_seq_length`), padded length.
    pub seq: u64,
    /// Micro-batches per optimizer step (`gradient_accumulation_steps`).
    pub grad_accum: u64,
    /// The optimizer (`optim`).
    pub optimizer: Optimizer,
    /// Gradient checkpointing.
    pub checkpointing: Checkpointing,
    /// Attention implementation.
    pub attention: Attention,
    /// SDPA kernel.
    pub sdpa_backend: SdpaBackend,
    /// Does the batch hold padding (a mask that is not all ones)?
    pub padding: bool,
    /// Unsloth: the sequences of a micro-batch lie behind each other in one row (`padding_free`), as its default collator
    /// lays them; a collator of one's own pads them.
    pub padding_free: bool,
    /// Unsloth: documents of equal length that are packed into each sequence of `seq` tokens; 1: no packing.
    pub packing: u64,
    /// Unsloth: tokens of the sequences of a micro-batch, in turn, where they are not all of `seq` tokens; none is longer.
    pub lengths: Vec<u64>,
    /// What is learned.
    pub objective: Objective,
    /// Unsloth: the class that loads the model.
    pub loader: Loader,
    /// Unsloth: the release.
    pub release: Release,
    /// Unsloth: quantization-aware training.
    pub qat: Qat,
    /// Hugging Face: the release of transformers.
    pub transformers: Transformers,
    /// Gradient clipping (`max_grad_norm` above zero).
    pub clip: bool,
    /// `config.use_cache` left on while training.
    pub use_cache: bool,
    /// What runs the steps.
    pub harness: Harness,
    /// Plain loop only: the model's output object (so its logits) is held through backward.
    pub keep_outputs: bool,
    /// Liger kernels: fused linear cross entropy, RMSNorm, SwiGLU, RoPE.
    pub liger: bool,
    /// Float8 products.
    pub float8: Float8,
    /// `PYTORCH_ALLOC_CONF=expandable_segments:True`.
    pub expandable_segments: bool,
    /// Compute capability such as `8.9` when no card is named; it chooses kernels and cuBLAS workspaces.
    pub compute_capability: Option<String>,
    /// GiB of device memory when no card is named, such as `23.52`: Unsloth chooses the route of its loss by it.
    pub memory_gib: Option<f64>,
}

/// A field of a scenario that cannot be used, and what would be accepted instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize)]
#[error("{field}: {problem}")]
#[cfg_attr(feature = "module", derive(tsify::Tsify))]
pub struct FieldError {
    /// The field, named as in URLs: `rank` and not `lora.rank`; `model.hidden_size` for a field of an inline model.
    pub field: String,
    /// What is wrong with it and what is accepted.
    pub problem: String,
}

impl FieldError {
    /// A problem of one field.
    pub fn new(field: impl Into<String>, problem: impl Into<String>) -> Self {
        FieldError {
            field: field.into(),
            problem: problem.into(),
        }
    }

    /// Several problems in one line.
    pub fn list(problems: &[FieldError]) -> String {
        problems
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("; ")
    }

    /// A word that is none of the accepted ones.
    pub fn choice<'a>(field: &str, found: &str, accepted: impl Iterator<Item = &'a str>) -> Self {
        let accepted: Vec<_> = accepted.collect();
        FieldError::new(
            field,
            format!(
                "{} is not known; use one of {}",
                quoted(found),
                accepted.join(", ")
            ),
        )
    }
}

/// A user's text for a message: in quotes, and not all of it when it is long.
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", cut(text))
}

/// A user's text for a message: not all of it when it is long.
fn cut(text: &str) -> String {
    const MOST: usize = 60;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into(),
    }
}

/// The name that was meant, if one is spelt alike.
pub(crate) fn closest<'a>(text: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    const LEAST_SIMILARITY: f64 = 0.6;
    names
        .map(|name| (crate::catalog::similarity(text, name), name))
        .filter(|(similarity, _)| *similarity >= LEAST_SIMILARITY)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}
