//! DeepSeek V2 (`transformers/models/deepseek_v2/modeling_deepseek_v2.py`).

use super::super::model::Layer;
use super::super::rotary::{Shared, rotate_complex};
use super::super::weight_adapter::Wrapped;
use super::experts::{Routing, rows};
use super::{glm4_moe, latent, llama};
use crate::plan::Plan;
use crate::replay::{Dtype, Tensor};

/// `DeepseekV2DecoderLayer.forward`.
pub fn layer<'t>(layer: &Layer<'t>, plan: &Plan, x: Tensor<'t>, shared: &Shared<'t>) -> Tensor<'t> {
    llama::with_modules(
        layer,
        plan,
        x,
        |x| latent::attention(layer, plan, x, shared, rotate_complex, &Tensor::clone),
        |x| match plan.arch.experts_of(layer.index.into()) {
            Some(experts) => glm4_moe::mixture(layer, plan, x, |x, router| {
                route(plan, experts.per_token, x, router)
            }),
            None => layer.gated_mlp(plan, x),
        },
    )
}

/// `DeepseekV2TopkRouter.forward`, greedy.
fn route<'t>(plan: &Plan, per_token: u64, x: &Tensor<'t>, router: &Wrapped<'t>) -> Routing<'t> {
    let x = rows(plan, x);
    let logits = {
        let (x, weight) = (x.to(Dtype::F32), router.get().to(Dtype::F32));
        x.linear(&weight, None)
    };
    let scores = logits.softmax(Dtype::F32);
    let (mut weights, experts) = scores.top_k(per_token);
    weights = weights.scale();
    Routing {
        _logits: logits,
        weights,
        _experts: experts,
    }
}
