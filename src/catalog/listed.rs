//! What lists of models and cards say of each: the command line's `--json` and the JavaScript module.

use super::{Gpu, Model, gpus, models};
use serde::Serialize;

/// One model, as lists show it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "module", derive(tsify::Tsify))]
pub struct ListedModel {
    /// The Hub id.
    pub id: &'static str,
    /// The family under which it is listed.
    pub family: &'static str,
    /// `model_type` of its config.
    pub model_type: &'static str,
    /// Weights that are loaded.
    pub params: u64,
    /// Can its training step be replayed?
    pub supported: bool,
    /// Why it cannot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// One card, as lists show it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "module", derive(tsify::Tsify))]
pub struct ListedGpu {
    /// The slug by which scenarios name it.
    pub id: &'static str,
    /// Its name.
    pub name: &'static str,
    /// The maker.
    pub vendor: &'static str,
    /// The generation.
    pub architecture: &'static str,
    /// CUDA's compute capability, such as `8.9`.
    pub compute_capability: Option<&'static str>,
    /// Nominal memory of the board.
    pub memory_gib: u64,
    /// What a process can use of it.
    pub usable_bytes: u64,
    /// Does it compute in bf16?
    pub bf16: bool,
    /// Does it compute in fp8?
    pub fp8: bool,
}

impl ListedModel {
    /// What a list says of this model.
    pub fn of(model: &'static Model) -> Self {
        let reason = model.refused();
        ListedModel {
            id: &model.id,
            family: &model.family,
            model_type: &model.config.model_type,
            params: model.computed_params,
            supported: reason.is_none(),
            reason,
        }
    }
}

impl ListedGpu {
    /// What a list says of this card.
    pub fn of(gpu: &'static Gpu) -> Self {
        ListedGpu {
            id: &gpu.slug,
            name: &gpu.name,
            vendor: &gpu.vendor,
            architecture: &gpu.architecture,
            compute_capability: gpu.compute_capability.as_deref(),
            memory_gib: gpu.memory_gib,
            usable_bytes: gpu.usable_bytes(),
            bf16: gpu.bf16,
            fp8: gpu.fp8,
        }
    }
}

/// Every model, as lists show them.
pub fn listed_models() -> Vec<ListedModel> {
    models().iter().map(ListedModel::of).collect()
}

/// Every card, as lists show them.
pub fn listed_gpus() -> Vec<ListedGpu> {
    gpus().iter().map(ListedGpu::of).collect()
}
