//! The fields of a published row that say what was run and what was measured.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A row as it is written. Words are kept as words: what they mean depends on the program that ran.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Published {
    /// `measured`, or a point that authors worked out.
    pub kind: String,
    /// The training software.
    pub stack: String,
    /// Versions, as `name number` with commas between.
    pub stack_version: Option<String>,
    /// The card as the source calls it.
    pub gpu: Option<String>,
    /// Its nominal GB.
    pub gpu_vram_gb: Option<f64>,
    /// Cards.
    pub n_gpus: Option<u32>,
    /// Hub id.
    pub model: String,
    /// `full`, `lora`, `qlora`, with suffixes such as `+dora`.
    pub method: String,
    /// dtype of the base weights, and what else was said about dtypes.
    pub weights_dtype: String,
    /// Quantizer and variant.
    pub quant: Option<String>,
    /// LoRA rank.
    pub rank: Option<u64>,
    /// LoRA alpha.
    pub alpha: Option<f64>,
    /// Adapted modules.
    pub targets: Option<Words>,
    /// The optimizer, in the words of the stack.
    pub optimizer: String,
    /// Sequences of a micro-batch.
    pub micro_batch: Option<u64>,
    /// Tokens of a sequence.
    pub seq_len: Option<u64>,
    /// Micro-batches of a step.
    pub grad_accum: Option<u64>,
    /// Gradient checkpointing.
    pub checkpointing: String,
    /// Attention kernel.
    pub attention: String,
    /// How batches are formed.
    pub packing: Option<String>,
    /// FSDP or DeepSpeed mode.
    pub sharding: Option<String>,
    /// What was measured.
    pub metric: String,
    /// The figure, GiB.
    pub value_gib: Option<f64>,
    /// Half of the last digit's step, GiB.
    pub rounding_gib: Option<f64>,
    /// Further figures of the same run, GiB.
    pub other_metrics_gib: Option<BTreeMap<String, Option<f64>>>,
}

/// One word or several.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Words {
    /// Free text, such as `all linear layers`.
    One(String),
    /// Module names.
    Many(Vec<String>),
}

impl Published {
    /// The version of a library, as major and minor.
    pub fn version(&self, library: &str) -> Option<(u32, u32)> {
        let number = self
            .stack_version
            .as_deref()?
            .split(',')
            .filter_map(|part| part.trim().split_once(' '))
            .find_map(|(name, number)| (name == library).then_some(number))?;
        let mut parts = number.split('.').map(str::parse);
        Some((parts.next()?.ok()?, parts.next()?.ok()?))
    }
}
