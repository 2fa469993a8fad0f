//! Which storage a weight format becomes on a stack and a card: what the libraries really load.

use super::{not_modelled, own};
use crate::catalog::{self, Variants};
use crate::estimate::EstimateError;
use crate::quant::{Kept, SkipList, Storage};
use crate::replay::Dtype;
use crate::scenario::{Autocast, BaseDtype, ModelRef, Scenario, Stack, WeightFormat};

/// The weights as they are loaded.
pub(super) struct Weights {
    /// Dtype of everything that is not quantized.
    pub dtype: Dtype,
    /// Storage of linear layers.
    pub storage: Storage,
    /// Linear layers that stay in 16 bit.
    pub kept: Kept,
    /// Mixed precision, which follows the dtype that the card can compute with.
    pub autocast: Option<Dtype>,
    /// What a library does instead of what was asked for, with the place where it does.
    pub notes: Vec<String>,
}

/// From here on cards compute in bf16 (`unsloth/models/_utils.py: SUPPORTS_BFLOAT16`).
const BF16: (u32, u32) = (8, 0);
/// From here on FP8 checkpoints stay FP8 (`quantizer_finegrained_fp8.py: validate_environment`,
/// `unsloth/models/_utils.py: verify_fp8_support_if_applicable`).
const FP8_BLOCKS: (u32, u32) = (8, 9);
/// From here on Unsloth quantizes to FP8 while it loads
/// (`unsloth/models/loader_utils.py: _get_fp8_mode_and_check_settings`).
const FP8_ON_THE_FLY: (u32, u32) = (9, 0);

/// Resolves the weights of a scenario. `capability` is `None` where no card is named: then every format can be used.
///
/// # Errors
/// A format that the stack cannot train on.
pub(super) fn resolve(s: &Scenario, capability: Option<(u32, u32)>) -> Result<Weights, EstimateError> {
    let mut weights = match s.stack {
        Stack::Hf => hugging_face(s)?,
        Stack::Unsloth => unsloth(s, capability)?,
    };
    if !s.skip_modules.is_empty() {
        weights.kept = Kept::named(&s.skip_modules, SkipList::Given);
    }
    if s.stack == Stack::Unsloth && capability.is_some_and(|have| have < BF16) {
        without_bf16(s, &mut weights);
    }
    Ok(weights)
}

fn plain(s: &Scenario, dtype: Dtype, storage: Storage) -> Weights {
    Weights {
        dtype,
        storage,
        kept: Kept::nothing(SkipList::None),
        autocast: match s.autocast {
            Autocast::Off => None,
            Autocast::Bf16 => Some(Dtype::Bf16),
            Autocast::Fp16 => Some(Dtype::F16),
        },
        notes: Vec::new(),
    }
}

/// The dtype of what is not quantized beside weights that are.
fn beside(s: &Scenario) -> Dtype {
    match s.dtype {
        BaseDtype::Auto | BaseDtype::Bf16 => Dtype::Bf16,
        BaseDtype::Fp16 => Dtype::F16,
        BaseDtype::Fp32 => Dtype::F32,
    }
}

/// The formats that mean the same everywhere.
fn common(s: &Scenario) -> Option<Weights> {
    let (dtype, storage) = match s.weights {
        WeightFormat::Bf16 => (Dtype::Bf16, Storage::Plain),
        WeightFormat::Fp16 => (Dtype::F16, Storage::Plain),
        WeightFormat::Fp32 => (Dtype::F32, Storage::Plain),
        WeightFormat::Int8 => (beside(s), Storage::EightBit),
        WeightFormat::Nf4 | WeightFormat::Fp4 => (beside(s), Storage::FourBit { double_quant: false }),
        WeightFormat::Nf4Dq | WeightFormat::Fp4Dq => (beside(s), Storage::FourBit { double_quant: true }),
        WeightFormat::Dynamic4bit => return Some(dynamic(s)),
        _ => return None,
    };
    Some(plain(s, dtype, storage))
}

fn hugging_face(s: &Scenario) -> Result<Weights, EstimateError> {
    match common(s) {
        Some(weights) => Ok(weights),
        None => hugging_face_fp8(s),
    }
}

#[inline(never)]
fn hugging_face_fp8(s: &Scenario) -> Result<Weights, EstimateError> {
    match s.weights {
        WeightFormat::Fp8 => Ok(plain(s, beside(s), Storage::Float8)),
        WeightFormat::Fp8Block => not_modelled(
            "Trainer refuses FP8 checkpoints in blocks: transformers runs them for inference only (quantizer_finegrained_fp8.py: is_trainable); use stack=unsloth, or weights=fp8",
        ),
        WeightFormat::Fp8Dynamic => not_modelled(
            "transformers trains FP8-Dynamic checkpoints only after compressed-tensors has turned them back into 16 bit (quantizer_compressed_tensors.py: is_trainable), which saves nothing: use weights=bf16, weights=fp8 or stack=unsloth",
        ),
        _ => mxfp4(),
    }
}

fn mxfp4<T>() -> Result<T, EstimateError> {
    not_modelled(
        "MXFP4 runs inference only (transformers/quantizers/quantizer_mxfp4.py: is_trainable); for training it is dequantized to 16 bit, weights=bf16, or quantized anew, weights=nf4-dq",
    )
}

/// The repositories of the scenario's model.
fn variants(s: &Scenario) -> Option<&'static Variants> {
    match &s.model {
        ModelRef::Catalog(id) => catalog::variants_of(id),
        ModelRef::Config(_) => None,
    }
}

/// Unsloth's dynamic 4 bit: nf4 with double quantization, some layers left in 16 bit.
#[inline(never)]
fn dynamic(s: &Scenario) -> Weights {
    let mut weights = plain(s, beside(s), Storage::FourBit { double_quant: true });
    let variants = variants(s);
    let repository = variants.and_then(|v| v.repository(WeightFormat::Dynamic4bit));
    let skipped = variants.and_then(|v| v.skip.as_ref());
    weights.kept = match skipped {
        Some(names) => Kept::named(names, SkipList::Published),
        None => Kept::nothing(SkipList::Documented),
    };
    if !s.skip_modules.is_empty() {
        return weights;
    }
    let plain = variants.and_then(|v| v.repository(WeightFormat::Nf4Dq));
    weights.notes.push(match (repository, skipped, plain) {
        (Some(name), Some(_), _) => format!(
            "{name}: the layers left in 16 bit are those of its quantization_config.llm_int8_skip_modules"
        ),
        (Some(name), None, _) => format!(
            "which layers {name} leaves in 16 bit is not known here: counted are the documented ones (head, routers, towers). Unsloth speaks of less than 10 % more than plain 4-bit; put its quantization_config.llm_int8_skip_modules into skip_modules for the exact figure"
        ),
        (None, _, Some(name)) => format!(
            "no dynamic 4-bit variant of this model is known: Unsloth loads {name}, plain 4-bit (unsloth/models/mapper.py), which is what is counted"
        ),
        (None, _, None) => "no 4-bit variant of this model is known: Unsloth quantizes the 16-bit weights to plain nf4 while it loads (unsloth/models/loader.py), which is what is counted".into(),
    });
    weights
}

#[inline(never)]
fn unsloth(s: &Scenario, capability: Option<(u32, u32)>) -> Result<Weights, EstimateError> {
    if let Some(mut weights) = common(s) {
        if s.weights == WeightFormat::Nf4Dq
            && let Some(name) = variants(s).and_then(|v| v.repository(WeightFormat::Dynamic4bit))
        {
            weights.notes.push(format!(
                "load_in_4bit=True turns this name into {name}, dynamic 4-bit, which is larger; plain 4-bit as counted here needs use_exact_model_name=True (unsloth/models/loader_utils.py: get_model_name), or choose weights=dynamic-4bit"
            ));
        }
        return Ok(weights);
    }
    let blocks = match s.weights {
        WeightFormat::Fp8Block => true,
        WeightFormat::Fp8Dynamic => false,
        WeightFormat::Fp8 => {
            return not_modelled(
                "Unsloth loads FP8 with scales by rows, weights=fp8-dynamic, or by blocks, weights=fp8-block; torchao's weight-only FP8 is the Hugging Face stack's",
            );
        }
        _ => return Ok(plain(s, Dtype::Bf16, Storage::Mxfp4)),
    };
    match capability.filter(|have| *have < FP8_ON_THE_FLY) {
        Some(have) => Ok(fp8_below_hopper(s, have)),
        None => fp8_from_hopper(s, blocks),
    }
}

/// FP8 repositories that transformers' FP8Linear reads: those named `-FP8` have fine-grained scales, `-FP8-Block` and
/// `-FP8-Dynamic` are compressed-tensors', which Unsloth decompresses to 16 bit by default
/// (`loader_utils.py: _route_compressed_tensors_fp8_to_unsloth`).
fn is_fine_grained(name: &str) -> bool {
    name.ends_with("-FP8")
}

/// The checkpoint with fine-grained FP8 of the scenario's model: its own files, or a repository that is known.
fn fine_grained(s: &Scenario) -> Option<String> {
    if let (Some(WeightFormat::Fp8Block), ModelRef::Config(config)) = (own::stored(s), &s.model) {
        return Some(config.label());
    }
    let repository = variants(s).and_then(|v| v.repository(WeightFormat::Fp8Block));
    repository.filter(|name| is_fine_grained(name))
}

/// FP8 where Unsloth can quantize to it while it loads. Models that have an FP8 repository are loaded from there unless told
/// otherwise.
fn fp8_from_hopper(s: &Scenario, blocks: bool) -> Result<Weights, EstimateError> {
    let repository = variants(s).and_then(|v| v.repository(WeightFormat::Fp8Block));
    if blocks {
        return match fine_grained(s) {
            Some(_) => Ok(plain(s, Dtype::Bf16, Storage::Float8Blocks)),
            None => not_modelled(
                "no repository with FP8 by blocks of 128 x 128 is known of this model, and what Unsloth quantizes to blocks itself (load_in_fp8='block') transformers 5.17 fails to read back; use weights=fp8-dynamic",
            ),
        };
    }
    let mut weights = plain(s, Dtype::Bf16, Storage::Float8Rows);
    weights.notes.extend(repository.map(|name| {
        let what = if is_fine_grained(&name) {
            "FP8 by blocks (weights=fp8-block)"
        } else {
            "a compressed-tensors checkpoint that is turned into 16 bit"
        };
        format!(
            "load_in_fp8=True turns this name into {name}, {what}; quantizing by rows as counted here needs use_exact_model_name=True (unsloth/models/loader_utils.py: get_model_name)"
        )
    }));
    Ok(weights)
}

/// FP8 on cards on which Unsloth does not quantize to it: a checkpoint by blocks is used from 8.9 on and turned into
/// 16 bit before.
fn fp8_below_hopper(s: &Scenario, have: (u32, u32)) -> Weights {
    let card = format!("compute capability {}.{}", have.0, have.1);
    let (storage, note) = match fine_grained(s) {
        Some(name) if have >= FP8_BLOCKS => (
            Storage::Float8Blocks,
            (s.weights == WeightFormat::Fp8Dynamic).then(|| {
                format!(
                    "{card}: FP8 by rows needs 9.0; Unsloth loads {name} instead, FP8 by blocks of 128 x 128"
                )
            }),
        ),
        Some(name) => (
            Storage::Plain,
            Some(format!(
                "{card} has no FP8 products, which begin with 8.9: Unsloth turns {name} into 16 bit while it loads (unsloth/models/_utils.py: verify_fp8_support_if_applicable), so that nothing is saved"
            )),
        ),
        None => (
            Storage::Plain,
            Some(format!(
                "{card}: Unsloth refuses to quantize to FP8 while loading below 9.0 (\"requires H100 GPUs or after\", unsloth/models/loader_utils.py: _get_fp8_mode_and_check_settings); counted are 16-bit weights, which it names as the way out"
            )),
        ),
    };
    let mut weights = plain(s, Dtype::Bf16, storage);
    weights.notes.extend(note);
    weights
}

/// Unsloth on a card without bf16: weights and products in fp16, full fine-tuning in fp32
/// (`unsloth/models/llama.py: from_pretrained`; `unsloth/models/vision.py`).
#[inline(never)]
fn without_bf16(s: &Scenario, weights: &mut Weights) {
    let asked = weights.dtype == Dtype::Bf16 || weights.autocast == Some(Dtype::Bf16);
    if !asked {
        return;
    }
    if weights.dtype == Dtype::Bf16 {
        weights.dtype = Dtype::F16;
    }
    if weights.autocast == Some(Dtype::Bf16) {
        weights.autocast = Some(Dtype::F16);
    }
    weights.notes.push(format!(
        "the card has no bf16, which begins with compute capability 8.0: Unsloth computes in fp16 with a gradient scaler (unsloth/models/_utils.py: SUPPORTS_BFLOAT16), as counted{}",
        if s.weights == WeightFormat::Fp32 { ", on fp32 weights" } else { "" }
    ));
}
