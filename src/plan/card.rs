//! The card of a run: its compute capability, and what PyTorch makes of it.

use super::not_modelled;
use crate::catalog;
use crate::estimate::EstimateError;
use crate::replay::Device;
use crate::scenario::Scenario;

/// Where no card is named: data-centre Ampere and later behave alike for the kernels that matter.
const DEFAULT_CAPABILITY: (u32, u32) = (8, 0);

/// Streaming multiprocessors of the largest common card of a capability; they decide how flash attention splits short
/// batches (public specifications: A100 108, RTX 3090 82, RTX 4090 128, H100 132, B200 148, RTX 5090 170, T4 40).
fn multiprocessors(capability: (u32, u32)) -> u64 {
    match capability {
        (8, 0) => 108,
        (8, 9) => 128,
        (8, _) => 82,
        (9, _) => 132,
        (10 | 11, _) => 148,
        (12.., _) => 170,
        (7, 5) => 40,
        _ => 80,
    }
}

fn parse_capability(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// The compute capability that a scenario names, itself or by its card.
///
/// # Errors
/// When the card runs no CUDA.
pub(super) fn capability(s: &Scenario) -> Result<(u32, u32), EstimateError> {
    if let Some(text) = &s.compute_capability {
        return Ok(parse_capability(text).unwrap_or(DEFAULT_CAPABILITY));
    }
    let Some(gpu) = s.gpu.as_deref().and_then(catalog::gpu) else {
        return Ok(DEFAULT_CAPABILITY);
    };
    match gpu.compute_capability.as_deref().and_then(parse_capability) {
        Some(capability) => Ok(capability),
        None => not_modelled(format!("{} is no CUDA card; its kernels are not known", gpu.name)),
    }
}

/// The card's kernels.
pub(super) fn device(capability: (u32, u32)) -> Device {
    Device {
        capability,
        multiprocessors: multiprocessors(capability),
    }
}

/// Bytes of a cuBLAS workspace: 32 MiB on capability 9, 8.125 MiB elsewhere
/// (`aten/src/ATen/cuda/CublasHandlePool.cpp: parseChosenWorkspaceSize`).
pub(super) fn workspace_bytes(capability: (u32, u32)) -> u64 {
    match capability.0 {
        9 => 32 << 20,
        _ => 4096 * 1024 * 2 + 16 * 1024 * 8,
    }
}
