//! What is refused for the architecture's sake, with the reason.

use super::{Storage, not_modelled};
use crate::estimate::EstimateError;
use crate::model::{Architecture, Family, Part, Recurrence};
use crate::quant::Kept;
use crate::replay::Dtype;
use crate::scenario::{Checkpointing, Scenario, Stack};

/// Settings that this architecture or stack is not modelled with.
pub(super) fn unsupported(s: &Scenario, arch: &Architecture) -> Result<(), EstimateError> {
    for (used, what) in [
        (
            // With checkpointing transformers turns it off.
            s.use_cache && s.checkpointing == Checkpointing::None && !arch.family.caches_keys_and_values(),
            "a key-value cache of this architecture",
        ),
        (
            s.liger && !arch.family.has_liger_kernels(),
            "Liger kernels of this architecture",
        ),
        (
            s.checkpointing == Checkpointing::Unsloth && s.stack == Stack::Hf,
            "off-loaded checkpointing on the Hugging Face stack",
        ),
    ] {
        if used {
            return not_modelled(format!("{what} are not modelled yet"));
        }
    }
    Ok(())
}

/// Refuses convolutions that PyTorch hands to cuDNN, whose workspace is not known: those in fp16, and those of more
/// elements than 32 bits count (`aten/src/ATen/native/Convolution.cpp: use_cudnn_depthwise`).
pub(super) fn convolution(
    arch: &Architecture,
    compute: Dtype,
    batch: u64,
    seq: u64,
) -> Result<(), EstimateError> {
    match &arch.recurrence {
        Some(recurrence) => convolution_of(recurrence, arch, compute, batch, seq),
        None => Ok(()),
    }
}

#[inline(never)]
fn convolution_of(
    recurrence: &Recurrence,
    arch: &Architecture,
    compute: Dtype,
    batch: u64,
    seq: u64,
) -> Result<(), EstimateError> {
    let elements = recurrence
        .channels(arch.hidden)
        .saturating_mul(batch)
        .saturating_mul(seq);
    if compute == Dtype::F16 || elements > i32::MAX as u64 {
        return not_modelled(
            "convolutions that cuDNN runs, in fp16 or of 2^31 elements and more, are not modelled: what workspace it takes is not known",
        );
    }
    Ok(())
}

/// Layers whose parts cannot do what is asked of them.
pub(super) fn layers(s: &Scenario, arch: &Architecture) -> Result<(), EstimateError> {
    let tokens = s.batch.saturating_mul(s.seq);
    if arch
        .experts
        .as_ref()
        .is_some_and(|e| !e.can_be_chosen_for(tokens))
    {
        return not_modelled(
            "choosing among 400 or more experts for more than 65,536 tokens a micro-batch is not modelled",
        );
    }
    if let Some(index) = arch.takes_keys_of_none() {
        return not_modelled(format!(
            "layer {index} takes keys and values of an earlier layer of its kind (num_kv_shared_layers), and there is none"
        ));
    }
    Ok(())
}

/// Refuses weights in packed form that a model clamps in place.
pub(super) fn clamped_weights(
    arch: &Architecture,
    storage: Storage,
    kept: &Kept,
) -> Result<(), EstimateError> {
    if arch.family == Family::Gemma3n && storage != Storage::Plain {
        let read = ["altup.prediction_coefs", "altup.correction_coefs"];
        if !read
            .iter()
            .all(|path| kept.keeps(0, &Part::linear(path, 1, 1, false)))
        {
            return not_modelled(
                "Gemma 3n clamps weights in place, on which transformers fails when they are packed (modeling_gemma3n.py: Gemma3nTextAltUp.predict): keep these layers in 16 bit, skip_modules=altup",
            );
        }
    }
    Ok(())
}
