//! Published runs of Unsloth: what its notebooks and benchmarks do that their rows do not say.

use super::card;
use super::fields::{Published, Words};
use super::settings::{model, optimizer, refused, stated};
use crate::catalog;
use crate::scenario::{
    Checkpointing, Lora, Method, ModelRef, Release, Scenario, Stack, Targets, WeightFormat,
};
use crate::score::Refusal;

/// The first releases that were read: before them the layers' inputs stayed on the GPU, some otherwise.
const FIRST: (u32, u32) = (2024, 1);
/// All logits are made up to here (`unsloth/models/llama.py`; cut cross entropy came on 17 November 2024).
const ALL_LOGITS: (u32, u32) = (2024, 10);
/// From here on adapters' products are added in place and weights unpacked into one buffer (1 March 2025).
const IN_PLACE: (u32, u32) = (2025, 3);
/// No logits above 1024 tokens up to here; then chunks by free memory (`unsloth_fused_ce_loss`, 13 August 2025).
const CUT_LOGITS: (u32, u32) = (2025, 7);
/// From here on batches are laid out and losses tiled as they are now.
const CURRENT: (u32, u32) = (2026, 10);

/// Did Unsloth run this row?
pub(super) fn is_its(row: &Published) -> bool {
    row.stack.to_lowercase().starts_with("unsloth")
}

/// `unsloth 2024.9.post4; …` as year and month.
fn version(row: &Published) -> Option<(u32, u32)> {
    let text = row.stack_version.as_deref()?.trim().strip_prefix("unsloth ")?;
    let mut parts = text.split(|c: char| !c.is_ascii_digit());
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

fn release(row: &Published) -> Result<Release, Refusal> {
    let Some(version) = version(row) else {
        return Err(Refusal("the release of Unsloth is not stated".into()));
    };
    let not = |what: &str| Err(Refusal(format!("{what} are not modelled")));
    match version {
        v if v < FIRST => not("releases of Unsloth before 2024"),
        v if v <= ALL_LOGITS => Ok(Release::AllLogits),
        v if v < IN_PLACE => not("releases of Unsloth from 2024.11 to 2025.2"),
        v if v <= CUT_LOGITS => Ok(Release::CutLogits),
        v if v < CURRENT => not("releases of Unsloth from 2025.8 to 2026.9"),
        _ => Ok(Release::Current),
    }
}

/// The scenario of a row.
///
/// # Errors
/// Refuses releases and settings that are not modelled.
pub(super) fn scenario(row: &Published) -> Result<Scenario, Refusal> {
    let release = release(row)?;
    let (method, dtype) = match row.method.as_str() {
        "qlora" => (Method::Qlora, WeightFormat::Nf4Dq),
        "lora" => (Method::Lora, WeightFormat::Bf16),
        "full" => (Method::Full, WeightFormat::Bf16),
        other => return refused("method", other),
    };
    let (model, weights) = loaded(row, method, dtype, release)?;
    let gpu = card::of(row).ok_or_else(|| Refusal("the card is not known".into()))?;
    let defaults = Scenario::for_stack(Stack::Unsloth, method);
    Ok(Scenario {
        model: ModelRef::Catalog(model),
        gpu: Some(gpu.slug.clone()),
        weights,
        lora: lora(row, defaults.lora)?,
        batch: stated("micro_batch", row.micro_batch)?,
        seq: stated("seq_len", row.seq_len)?,
        grad_accum: stated("grad_accum", row.grad_accum)?,
        optimizer: optimizer(row)?,
        checkpointing: match row.checkpointing.as_str() {
            "none" => Checkpointing::None,
            words if words.starts_with("unsloth (offloaded)") => Checkpointing::Unsloth,
            words => return refused("checkpointing", words),
        },
        release,
        // The first cell of the notebooks of 2024 asks for the card's capability, so that the allocator is set up before
        // Unsloth asks for expandable segments.
        expandable_segments: release != Release::AllLogits,
        ..defaults
    })
}

/// The model, and the format in which it is loaded: `load_in_4bit=True` prefers the dynamic repository since it exists.
fn loaded(
    row: &Published,
    method: Method,
    usual: WeightFormat,
    release: Release,
) -> Result<(String, WeightFormat), Refusal> {
    let name = row.model.to_lowercase();
    let holds = |variants: &catalog::Variants, format| {
        let repository = variants.repository(format);
        repository.is_some_and(|repository| repository.to_lowercase() == name)
    };
    let formats = [WeightFormat::Bf16, WeightFormat::Nf4Dq, WeightFormat::Dynamic4bit];
    let found = catalog::variants()
        .iter()
        .flat_map(|variants| formats.map(|format| (variants, format)))
        .find(|(variants, format)| holds(variants, *format));
    let (id, named) = match found {
        Some((variants, format)) => (variants.id.clone(), Some(format)),
        None => (model(row)?, None),
    };
    if method != Method::Qlora || release == Release::AllLogits || named == Some(WeightFormat::Nf4Dq) {
        return Ok((id, usual));
    }
    let variants = catalog::variants_of(&id);
    match variants.map(|v| (v.repository(WeightFormat::Dynamic4bit), &v.skip)) {
        Some((Some(name), None)) => Err(Refusal(format!(
            "which layers {name} leaves in 16 bit is not known"
        ))),
        Some((Some(_), Some(_))) => Ok((id, WeightFormat::Dynamic4bit)),
        _ => Ok((id, usual)),
    }
}

fn lora(row: &Published, usual: Lora) -> Result<Lora, Refusal> {
    let targets = match stated("targets", row.targets.as_ref())? {
        Words::Many(names) => names.clone(),
        Words::One(words) if words.contains("all attention+MLP linears") => Vec::new(),
        Words::One(words) => return refused("targets", words),
    };
    let whole = |name: &String| matches!(name.as_str(), "embed_tokens" | "lm_head");
    let (saved, adapted): (Vec<_>, Vec<_>) = targets.into_iter().partition(whole);
    Ok(Lora {
        rank: stated("rank", row.rank)?,
        alpha: row.alpha.unwrap_or(usual.alpha),
        targets: match adapted.is_empty() {
            true => Targets::all_linear(),
            false => Targets::Modules(adapted),
        },
        modules_to_save: saved,
        ..usual
    })
}
