//! A scenario resolved: every default settled, every name looked up, ready to be lowered. What the cost model cannot
//! express is refused here, with the reason.

mod batch;
mod card;
mod float8;
mod lengths;
mod lora;
mod own;
mod parameters;
mod refusals;
mod release;
mod sdpa;
mod unsloth;
mod weights;

use crate::catalog;
use crate::estimate::EstimateError;
use crate::model::{Architecture, ExpertStorage, Family, HfConfig, Part};
use crate::quant::Kept;
use crate::replay::{Device, Dtype};
use crate::scenario::{
    Attention, Checkpointing, FieldError, Float8, Harness, Method, ModelRef, Objective, Optimizer, Qat,
    Release, Scenario, SdpaBackend, Stack, Transformers,
};

use std::borrow::Cow;

pub use crate::quant::Storage;
pub use lengths::Lengths;
pub use lora::{Adapter, LoraPlan};
pub use parameters::Parameter;

/// Which kernel computes attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttentionKernel {
    /// SDPA, flash.
    Flash,
    /// SDPA, memory-efficient.
    Efficient,
    /// SDPA, plain products.
    Math,
    /// Transformers' own products.
    Eager,
}

/// A run, resolved.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The stack.
    pub stack: Stack,
    /// Unsloth: layers are transformers' own, compiled.
    pub generic: bool,
    /// Unsloth: the release.
    pub release: Release,
    /// Unsloth: quantization-aware training.
    pub qat: Qat,
    /// Unsloth: the sequences of a micro-batch lie in one row.
    pub padding_free: bool,
    /// Unsloth: documents in a sequence.
    pub packing: u64,
    /// Preferences: is there a frozen copy of the adapters, to compare with?
    pub reference: bool,
    /// Memory of the card, where it is known.
    pub memory: Option<u64>,
    /// The model; of a multimodal one, its language part.
    pub arch: Architecture,
    /// Weights beside the language part: vision and audio towers and their projectors. They rest in 16 bit.
    pub towers: u64,
    /// Dtype of the weights as loaded.
    pub dtype: Dtype,
    /// Storage of the base's linear layers.
    pub storage: Storage,
    /// Linear layers that stay in 16 bit all the same.
    pub kept: Kept,
    /// What a library does instead of what was asked for.
    pub substitutions: Vec<String>,
    /// Everything that is not quantized becomes fp32 (`prepare_model_for_kbit_training`).
    pub prepare_kbit: bool,
    /// Autocast.
    pub autocast: Option<Dtype>,
    /// Adapters; `None` trains every weight.
    pub lora: Option<LoraPlan>,
    /// Optimizer.
    pub optimizer: Optimizer,
    /// Checkpointing.
    pub checkpointing: Checkpointing,
    /// Attention kernel.
    pub attention: AttentionKernel,
    /// Attention kernel of layers that have a mask.
    pub masked_attention: AttentionKernel,
    /// Are keys and values repeated for grouped heads before SDPA is called?
    pub repeats_heads: bool,
    /// Does attention run in the flash-attn package, which takes no masks?
    pub flash_package: bool,
    /// Does the loss shift the logits, as transformers did up to 4.48?
    pub shifts_logits: bool,
    /// The same two of layers whose heads have widths of their own.
    pub global_kernels: Option<(AttentionKernel, AttentionKernel)>,
    /// Is a padding mask passed?
    pub padding: bool,
    /// Are keys and values cached while training?
    pub use_cache: bool,
    /// Sequences of a micro-batch.
    pub batch: u64,
    /// Tokens of a sequence.
    pub seq: u64,
    /// Unsloth: a micro-batch's sequences, where they are of several lengths.
    pub lengths: Option<Lengths>,
    /// Micro-batches of a step.
    pub grad_accum: u64,
    /// Gradient clipping.
    pub clip: bool,
    /// Trainer or a plain loop.
    pub harness: Harness,
    /// The loop holds the logits through backward.
    pub keep_outputs: bool,
    /// Liger's kernels: norms, rotation, SwiGLU, head and loss.
    pub liger: bool,
    /// Products of linear layers run in 8-bit floats, with a scale for each tensor.
    pub float8: bool,
    /// The allocator maps pages on demand.
    pub expandable_segments: bool,
    /// The card's kernels.
    pub device: Device,
    /// Bytes of a cuBLAS workspace.
    pub workspace_bytes: u64,
}

/// Rows of a block of flex attention.
const FLEX_BLOCK: u64 = 128;
const GIB: f64 = (1u64 << 30) as f64;

/// Linear layers whose outputs are rotated.
const ROTATED: [&str; 6] = [
    "q_proj",
    "k_proj",
    "qkv_proj",
    "q_a_proj",
    "q_b_proj",
    "kv_a_proj_with_mqa",
];

fn not_modelled<T>(reason: impl Into<Cow<'static, str>>) -> Result<T, EstimateError> {
    Err(refusal(reason.into()))
}

#[cold]
#[inline(never)]
fn refusal(reason: Cow<'static, str>) -> EstimateError {
    EstimateError::NotModelled(reason.into_owned())
}

/// The configuration behind a scenario's model.
///
/// # Errors
/// When the catalog does not hold it.
pub fn config(scenario: &Scenario) -> Result<&HfConfig, EstimateError> {
    match &scenario.model {
        ModelRef::Config(config) => Ok(config),
        ModelRef::Catalog(id) => match catalog::model(id) {
            Some(model) => Ok(&model.config),
            None => Err(unknown_model(id)),
        },
    }
}

#[cold]
#[inline(never)]
fn unknown_model(id: &str) -> EstimateError {
    let near = catalog::nearest_models(id, 3);
    let near: Vec<_> = near.iter().map(|model| model.id.as_str()).collect();
    let problem = format!("'{id}' is not in the catalog; did you mean {}?", near.join(", "));
    EstimateError::Invalid(vec![FieldError::new("model", problem)])
}

/// Weights beside the language part.
fn towers(scenario: &Scenario) -> Result<u64, EstimateError> {
    match &scenario.model {
        ModelRef::Catalog(id) => {
            Ok(catalog::model(id).map_or(0, |m| m.computed_params.saturating_sub(m.text_params)))
        }
        ModelRef::Config(config) if config.tower_params.is_some() => Ok(config.tower_params.unwrap_or(0)),
        ModelRef::Config(config) if config.vision_config.is_some() => not_modelled(
            "the size of its vision tower is not known: its files' headers tell, or tower_params, its number of weights",
        ),
        ModelRef::Config(_) => Ok(0),
    }
}

impl Plan {
    /// Resolves a scenario whose fields are sound.
    ///
    /// # Errors
    /// [`EstimateError::NotModelled`] with the reason.
    pub fn new(scenario: &Scenario) -> Result<Plan, EstimateError> {
        let pairs = (scenario.objective == Objective::Dpo).then(|| unsloth::pairs(scenario));
        let s = pairs.as_ref().unwrap_or(scenario);
        let mut arch = Architecture::from_config(config(s)?).map_err(EstimateError::NotModelled)?;
        let packs = s.stack == Stack::Unsloth && arch.family == Family::GptOss;
        if s.stack == Stack::Unsloth {
            unsloth::name_experts(&mut arch);
        }
        let capability = card::capability(s)?;
        let named = s.gpu.is_some() || s.compute_capability.is_some();
        let mut weights = weights::resolve(s, named.then_some(capability))?;
        if let ModelRef::Config(config) = &s.model {
            weights.notes.extend(own::notes(s, config)?);
        }
        let (dtype, storage) = (weights.dtype, weights.storage);
        refusals::unsupported(s, &arch)?;
        if s.float8 != Float8::Off {
            float8::check(s, &arch, storage, capability)?;
        }
        if s.stack == Stack::Hf && s.transformers != Transformers::Current {
            release::check(s, &arch)?;
        }
        let lora = match s.method {
            Method::Full => None,
            Method::Lora | Method::Qlora => Some(LoraPlan::new(&s.lora, &arch, s.stack)?),
        };
        let prepare_kbit = s.prepare_kbit && !matches!(storage, Storage::Plain | Storage::Float8);
        let autocast = weights.autocast;
        let compute = autocast.unwrap_or(if prepare_kbit { Dtype::F32 } else { dtype });
        refusals::convolution(&arch, compute, s.batch, s.seq)?;
        refusals::layers(s, &arch)?;
        refusals::clamped_weights(&arch, storage, &weights.kept)?;
        let (attention, masked_attention) = match s.stack {
            Stack::Hf => sdpa::kernels(s, &arch, capability, compute)?,
            Stack::Unsloth => {
                unsloth::check(s, &arch, &weights, capability)?;
                unsloth::attention(s, &arch, capability, dtype)?
            }
        };
        let global_kernels = sdpa::global_kernels(s, &arch, capability, compute)?;
        Ok(Plan {
            stack: s.stack,
            generic: s.stack == Stack::Unsloth && unsloth::compiles(s, &arch),
            release: s.release,
            qat: s.qat,
            // Earlier releases fill rows with documents without telling attention where they end.
            // `unsloth/trainer.py` lists GPT-OSS among the models that are never padding-free.
            padding_free: s.padding_free && s.release == Release::Current && !packs,
            packing: if s.release == Release::Current {
                s.packing
            } else {
                1
            },
            reference: s.objective == Objective::Dpo,
            memory: match (&s.gpu, s.memory_gib) {
                // Only Unsloth asks how much there is; elsewhere cards of one kind of kernels run one plan.
                _ if s.stack == Stack::Hf => None,
                (Some(gpu), _) => catalog::gpu(gpu).map(catalog::Gpu::usable_bytes),
                (None, gib) => gib.map(|gib| (gib * GIB) as u64),
            },
            towers: towers(s)?,
            arch,
            dtype,
            storage,
            kept: weights.kept,
            substitutions: weights.notes,
            prepare_kbit,
            autocast,
            lora,
            optimizer: s.optimizer,
            checkpointing: s.checkpointing,
            attention,
            masked_attention,
            repeats_heads: s.stack == Stack::Hf && s.sdpa_backend == SdpaBackend::EfficientRepeated,
            flash_package: s.attention == Attention::FlashAttention2,
            shifts_logits: s.stack == Stack::Hf && s.transformers == Transformers::ShiftedLogits,
            global_kernels,
            padding: s.padding,
            use_cache: s.use_cache && s.checkpointing == Checkpointing::None,
            batch: s.batch,
            // Flex attention wants whole blocks (`unsloth/models/rl.py: pad_to_multiple_of`).
            seq: if packs {
                s.seq.next_multiple_of(FLEX_BLOCK)
            } else {
                s.seq
            },
            lengths: match s.lengths.is_empty() {
                true => None,
                false => Lengths::of(s),
            },
            grad_accum: s.grad_accum,
            clip: s.clip,
            harness: s.harness,
            keep_outputs: s.keep_outputs,
            liger: s.liger,
            float8: s.float8 == Float8::Tensorwise,
            expandable_segments: s.expandable_segments,
            device: card::device(capability),
            workspace_bytes: card::workspace_bytes(capability),
        })
    }
}

impl Plan {
    /// The attention kernel of a layer, with a mask or without.
    pub fn kernel(&self, layer: u64, masked: bool) -> AttentionKernel {
        let usual = (self.attention, self.masked_attention);
        let (plain, with_mask) = match self.global_kernels {
            Some(global) if !self.arch.is_windowed(layer) => global,
            _ => usual,
        };
        if masked { with_mask } else { plain }
    }

    /// What 4-bit products run in (`bnb_4bit_compute_dtype`): bf16, as is usual; Unsloth names the dtype that it loads in
    /// (`unsloth/models/llama.py: from_pretrained`).
    pub fn compute_dtype(&self) -> Dtype {
        match self.stack {
            Stack::Hf => Dtype::Bf16,
            Stack::Unsloth => self.dtype,
        }
    }

    /// How a linear layer is stored.
    pub fn storage_of(&self, layer: u64, part: &Part) -> Storage {
        let in_experts_only = self.storage == Storage::Mxfp4;
        if in_experts_only || self.kept.keeps(layer, part) {
            Storage::Plain
        } else {
            self.storage
        }
    }

    /// Unsloth: are the experts stored in 4 bit?
    pub fn packs_experts(&self) -> bool {
        self.stack == Stack::Unsloth
            && self.arch.experts.is_some()
            && matches!(self.storage, Storage::FourBit { .. } | Storage::Mxfp4)
    }

    /// Unsloth: is this GPT-OSS whose experts stay in MXFP4, while the rest is in 16 bit?
    pub fn is_native_gpt_oss(&self) -> bool {
        self.is_packed_gpt_oss() && self.storage == Storage::Mxfp4
    }

    /// Unsloth: is the residual stream fp32 from the first layer's experts on?
    pub fn widens_stream(&self) -> bool {
        self.is_packed_gpt_oss() && !self.is_native_gpt_oss()
    }

    /// Unsloth: is this GPT-OSS in 4 bit, whose layers run as transformers' do not?
    pub fn is_packed_gpt_oss(&self) -> bool {
        self.packs_experts() && self.arch.family == Family::GptOss
    }

    /// As [`Architecture::kind_of_layer`], and layers that keep other parts in 16 bit are no longer alike.
    pub fn kind_of_layer(&self, index: u64) -> u32 {
        let mut kind = self.arch.kind_of_layer(index);
        if self.widens_stream() && index == 0 {
            // The residual stream is fp32 from the first layer's experts on.
            kind |= 1 << 31;
        }
        if self.kept.is_empty() {
            return kind;
        }
        kind | self.kept.mask(index, &self.arch.layer(index)) << 8
    }

    /// Unsloth: do hand-written layers run uncompiled? They are compiled from 2026 on for batches that are padded.
    pub fn runs_eagerly(&self) -> bool {
        self.padding_free || self.release != Release::Current
    }

    /// Unsloth: does generated code run the layers?
    pub fn is_compiled(&self) -> bool {
        self.stack == Stack::Unsloth && (self.generic || !self.runs_eagerly())
    }

    /// The first decoder layer that keeps the rotary tables for its backward pass: it does when its queries or keys need
    /// gradients. Without checkpointing and with frozen embeddings, only adapters bring them: those of the layer itself
    /// or of a layer before.
    pub fn first_layer_with_tables(&self) -> u64 {
        let Some(lora) = &self.lora else { return 0 };
        if lora.saves[0] || self.checkpointing != Checkpointing::None {
            return 0;
        }
        let parts = |index| self.arch.layer(index);
        let adapted = |index: &u64| {
            !self.arch.is_skipped(*index) && parts(*index).iter().any(|part| lora.adapter_of(part).is_some())
        };
        let first = (0..self.arch.layers).find(adapted).unwrap_or(0);
        let rotated = |part: &Part| lora.adapts(part.name()) && ROTATED.contains(&part.name());
        first + u64::from(!parts(first).iter().any(rotated))
    }

    /// Does any linear layer add its bias within the product (which then is cuBLASLt's)?
    pub fn has_bias(&self) -> bool {
        // A biased router is no linear layer: no quantization takes it.
        if self
            .arch
            .experts
            .as_ref()
            .is_some_and(|e| e.storage == ExpertStorage::Interleaved)
        {
            return true;
        }
        if self.storage == Storage::EightBit {
            return false;
        }
        self.arch
            .kinds()
            .iter()
            .any(|&(index, _)| self.arch.layer(index).iter().any(|p| p.elements().1 > 0))
    }
}
