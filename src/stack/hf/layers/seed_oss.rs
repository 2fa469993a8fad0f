//! Seed-OSS (`transformers/models/seed_oss/modeling_seed_oss.py`): Llama with dropout behind attention and MLP.

use super::super::model::Layer;
use super::super::rotary::Shared;
use super::llama;
use crate::plan::Plan;
use crate::replay::Tensor;

/// `SeedOssDecoderLayer.forward`.
pub fn layer<'t>(layer: &Layer<'t>, plan: &Plan, x: Tensor<'t>, shared: &Shared<'t>) -> Tensor<'t> {
    llama::with_mlp(layer, plan, x, shared, |x| {
        let out = layer.gated_mlp(plan, x);
        out.dropout()
    })
}
