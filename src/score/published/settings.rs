//! The scenario of a published row, from its own words and its program's habits.

use super::card;
use super::fields::{Published, Words};
use super::program::Program;
use crate::catalog;
use crate::scenario::{
    Attention, Autocast, Checkpointing, Lora, Method, ModelRef, Optimizer, Scenario, SdpaBackend, Stack,
    Targets, Transformers, WeightFormat,
};
use crate::score::Refusal;

pub(super) fn refused<T>(field: &str, words: &str) -> Result<T, Refusal> {
    Err(Refusal(format!("{field} '{words}' is not modelled")))
}

pub(super) fn stated<T>(field: &str, value: Option<T>) -> Result<T, Refusal> {
    value.ok_or_else(|| Refusal(format!("{field} is not stated")))
}

impl Program {
    /// The scenario of a row that this program ran.
    pub fn scenario(&self, row: &Published) -> Result<Scenario, Refusal> {
        let (method, variants) = method(row)?;
        if method == Method::Qlora && self.casts_kbit {
            return Err(Refusal(
                "norms alone in fp32 beside 4-bit weights, as TRL 0.13 casts them, are not modelled".into(),
            ));
        }
        let weights = weights(row, method)?;
        let gpu = card::of(row).ok_or_else(|| Refusal("the card is not known".into()))?;
        let (attention, sdpa_backend) = self.attention(row)?;
        Ok(Scenario {
            model: ModelRef::Catalog(model(row)?),
            gpu: Some(gpu.slug.clone()),
            weights,
            autocast: self.autocast(row),
            lora: self.lora(row, method, &variants)?,
            prepare_kbit: method == Method::Qlora && self.prepare_kbit,
            batch: stated("micro_batch", row.micro_batch)?,
            seq: stated("seq_len", row.seq_len)?,
            grad_accum: stated("grad_accum", row.grad_accum)?,
            optimizer: optimizer(row)?,
            checkpointing: checkpointing(row)?,
            attention,
            sdpa_backend,
            padding: padding(row)?,
            clip: self.clip,
            harness: self.harness,
            keep_outputs: self.keep_outputs,
            transformers: transformers(row)?,
            ..Scenario::for_stack(Stack::Hf, method)
        })
    }

    fn autocast(&self, row: &Published) -> Autocast {
        let words = &row.weights_dtype;
        let on = match (words.contains("no autocast"), words.contains("+ autocast")) {
            (true, _) => false,
            (_, true) => true,
            _ => self.autocast,
        };
        match on {
            false => Autocast::Off,
            true if words.starts_with("fp16") => Autocast::Fp16,
            true => Autocast::Bf16,
        }
    }

    fn attention(&self, row: &Published) -> Result<(Attention, SdpaBackend), Refusal> {
        let efficient = match self.repeats_heads {
            true => SdpaBackend::EfficientRepeated,
            false => SdpaBackend::Efficient,
        };
        match row.attention.as_str() {
            "eager" => Ok((Attention::Eager, SdpaBackend::Auto)),
            "flash_attention_2" => Ok((Attention::FlashAttention2, SdpaBackend::Auto)),
            "sdpa" | "sdpa (default)" => Ok((Attention::Sdpa, SdpaBackend::Auto)),
            "sdpa (mem-efficient backend)" => Ok((Attention::Sdpa, efficient)),
            "sdpa/flash" | "sdpa (flash backend)" => Ok((Attention::Sdpa, SdpaBackend::Flash)),
            words => refused("attention", words),
        }
    }

    fn lora(&self, row: &Published, method: Method, variants: &[&str]) -> Result<Lora, Refusal> {
        let usual = Scenario::for_stack(Stack::Hf, method).lora;
        if method == Method::Full {
            return Ok(usual);
        }
        Ok(Lora {
            rank: stated("rank", row.rank)?,
            alpha: row.alpha.unwrap_or(usual.alpha),
            targets: match stated("targets", row.targets.as_ref())? {
                Words::Many(names) => Targets::Modules(names.clone()),
                Words::One(words) if words.replace('-', " ").starts_with("all linear") => {
                    Targets::all_linear()
                }
                Words::One(words) => return refused("targets", words),
            },
            use_dora: variants.contains(&"dora"),
            use_rslora: variants.contains(&"rslora"),
            adapter_dtype: self.adapter_dtype,
            ..usual
        })
    }
}

/// From here on transformers shifts the labels and not the logits (`loss_utils.py: ForCausalLMLoss`).
const LABELS_SHIFTED_SINCE: (u32, u32) = (4, 49);
/// From here on the loss is made in `loss_utils.py`, and SDPA called, as in 4.48.
const MODELLED_SINCE: (u32, u32) = (4, 48);

fn transformers(row: &Published) -> Result<Transformers, Refusal> {
    match row.version("transformers") {
        None => Err(Refusal("the version of transformers is not stated".into())),
        Some(version) if version < MODELLED_SINCE => Err(Refusal(format!(
            "transformers {}.{} is not modelled",
            version.0, version.1
        ))),
        Some(version) if version < LABELS_SHIFTED_SINCE => Ok(Transformers::ShiftedLogits),
        Some(_) => Ok(Transformers::Current),
    }
}

/// The method, and the variants of LoRA named with it.
fn method(row: &Published) -> Result<(Method, Vec<&str>), Refusal> {
    let mut words = row.method.split('+');
    let method = match words.next().unwrap_or_default() {
        "full" => Method::Full,
        "lora" => Method::Lora,
        "qlora" => Method::Qlora,
        other => return refused("method", other),
    };
    let variants: Vec<&str> = words.collect();
    match variants.iter().find(|v| !matches!(**v, "dora" | "rslora")) {
        Some(other) => refused("method", other),
        None => Ok((method, variants)),
    }
}

fn weights(row: &Published, method: Method) -> Result<WeightFormat, Refusal> {
    let dtype = match row.weights_dtype.split(' ').next().unwrap_or_default() {
        "bf16" => WeightFormat::Bf16,
        "fp16" => WeightFormat::Fp16,
        "fp32" => WeightFormat::Fp32,
        other => return refused("weights_dtype", other),
    };
    let quant = row.quant.as_deref().unwrap_or("none");
    let double = quant.contains("double") && !quant.contains("no double");
    match (method, quant.split(' ').next().unwrap_or_default()) {
        (Method::Full | Method::Lora, "none") => Ok(dtype),
        (Method::Qlora, "nf4") if double => Ok(WeightFormat::Nf4Dq),
        (Method::Qlora, "nf4") => Ok(WeightFormat::Nf4),
        _ => refused("quant", quant),
    }
}

/// A repository's name without what says how it is stored, in small letters; Meta's first names of Llama 3.1 say whose it is.
fn plain(name: &str) -> String {
    let name = name.to_lowercase();
    let name = ["-unsloth-bnb-4bit", "-bnb-4bit"]
        .iter()
        .find_map(|suffix| name.strip_suffix(suffix))
        .unwrap_or(&name);
    name.strip_prefix("meta-").unwrap_or(name).to_owned()
}

/// The model by its id; a copy under another owner's name has the same dimensions.
pub(super) fn model(row: &Published) -> Result<String, Refusal> {
    if let Some(model) = catalog::model(&row.model) {
        return Ok(model.id.clone());
    }
    let name = |id: &str| plain(id.rsplit('/').next().unwrap_or_default());
    let wanted = name(&row.model);
    let only = |alike: &dyn Fn(&str) -> bool| {
        let mut same = catalog::models().iter().filter(|model| alike(&name(&model.id)));
        match (same.next(), same.next()) {
            (Some(model), None) => Some(model.id.clone()),
            _ => None,
        }
    };
    // A base model has the dimensions of its chat form, where that alone is known.
    let longer = format!("{wanted}-");
    match only(&|id| id == wanted).or_else(|| only(&|id| id.starts_with(&longer))) {
        Some(id) => Ok(id),
        None => Err(Refusal(format!("{} is not in the catalog", row.model))),
    }
}

pub(super) fn optimizer(row: &Published) -> Result<Optimizer, Refusal> {
    match row.optimizer.as_str() {
        // `torch.optim.AdamW(params)` runs over lists of tensors on CUDA.
        "torch AdamW" | "adamw (torch, fp32 states)" => Ok(Optimizer::AdamwTorch),
        words => words.parse().or_else(|_| refused("optimizer", words)),
    }
}

/// Without more being said, transformers 5 checkpoints without re-entering autograd, earlier versions by re-entering.
fn checkpointing(row: &Published) -> Result<Checkpointing, Refusal> {
    let reentrant = row.version("transformers") < Some((5, 0));
    match row.checkpointing.as_str() {
        "none" => Ok(Checkpointing::None),
        "hf (non-reentrant)" => Ok(Checkpointing::Hf),
        "hf (reentrant)" => Ok(Checkpointing::HfReentrant),
        "hf" if reentrant => Ok(Checkpointing::HfReentrant),
        "hf" => Ok(Checkpointing::Hf),
        words => refused("checkpointing", words),
    }
}

/// Do batches hold padding?
fn padding(row: &Published) -> Result<bool, Refusal> {
    match row.packing.as_deref().unwrap_or_default() {
        words if words.starts_with("fixed") => Ok(false),
        words if words.contains("padded to longest") => Ok(true),
        words => refused("packing", words),
    }
}
