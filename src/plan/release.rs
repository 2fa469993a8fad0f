//! What an earlier release of transformers does otherwise, and for which runs that is known.

use super::not_modelled;
use crate::estimate::EstimateError;
use crate::model::{Architecture, Family};
use crate::scenario::{Attention, Scenario};

/// # Errors
/// The release computes this run in ways that are not written.
#[inline(never)]
pub(super) fn check(s: &Scenario, arch: &Architecture) -> Result<(), EstimateError> {
    // Llama, Mistral and Qwen2, whose code of then was read: but for the loss and the call of SDPA it allocates as today's.
    let read = arch.family == Family::Llama && arch.attention.query_norm.is_none();
    let windowed = arch
        .attention
        .sliding_window
        .is_some_and(|window| window <= s.seq);
    for (is_used, what) in [
        (!read, "models other than Llama, Mistral and Qwen2"),
        (s.padding, "padding masks"),
        (s.use_cache, "key-value caches"),
        (s.liger, "Liger kernels"),
        (windowed && s.attention != Attention::FlashAttention2, "windows"),
    ] {
        if is_used {
            return not_modelled(format!("{what} in transformers up to 4.48 are not modelled"));
        }
    }
    Ok(())
}
