//! DeepSeek V3 (`transformers/models/deepseek_v3/modeling_deepseek_v3.py`) and GLM 4.7 Flash (`glm4_moe_lite`).

use super::super::model::Layer;
use super::super::rotary::{Shared, rotate_pairs};
use super::{glm4_moe, latent, llama, scored_router};
use crate::plan::Plan;
use crate::replay::Tensor;

/// `DeepseekV3DecoderLayer.forward`.
pub fn layer<'t>(layer: &Layer<'t>, plan: &Plan, x: Tensor<'t>, shared: &Shared<'t>) -> Tensor<'t> {
    llama::with_modules(
        layer,
        plan,
        x,
        |x| latent::attention(layer, plan, x, shared, rotate_pairs, &Tensor::clone),
        |x| match plan.arch.experts_of(layer.index.into()) {
            Some(experts) => glm4_moe::mixture(layer, plan, x, |x, router| {
                scored_router::route(plan, experts, x, router)
            }),
            None => layer.gated_mlp(plan, x),
        },
    )
}
