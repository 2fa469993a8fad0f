//! Mistral Small 4 (`transformers/models/mistral4/modeling_mistral4.py`): DeepSeek V3's latent attention with queries
//! scaled by position, and experts chosen by their probabilities.

use super::super::model::Layer;
use super::super::rotary::{Shared, rotate_pairs};
use super::super::weight_adapter::Wrapped;
use super::experts::{Routing, rows};
use super::ministral3::attention_scale;
use super::{glm4_moe, latent, llama, scored_router};
use crate::model::Experts;
use crate::plan::Plan;
use crate::replay::{Dtype, Tensor};

/// `Mistral4DecoderLayer.forward`.
pub fn layer<'t>(layer: &Layer<'t>, plan: &Plan, x: Tensor<'t>, shared: &Shared<'t>) -> Tensor<'t> {
    let scaled = |q: &Tensor<'t>| {
        let scale = attention_scale(plan, &shared.positions, q.dtype());
        q.tape().within("self_attn", || q.mul(&scale))
    };
    llama::with_modules(
        layer,
        plan,
        x,
        |x| latent::attention(layer, plan, x, shared, rotate_pairs, &scaled),
        |x| match plan.arch.experts_of(layer.index.into()) {
            Some(experts) => glm4_moe::mixture(layer, plan, x, |x, router| route(plan, experts, x, router)),
            None => layer.gated_mlp(plan, x),
        },
    )
}

/// `Mistral4TopkRouter.forward`.
fn route<'t>(plan: &Plan, experts: &Experts, x: &Tensor<'t>, router: &Wrapped<'t>) -> Routing<'t> {
    let x = rows(plan, x);
    let logits = x.linear(router.get(), None);
    // Autocast takes softmax in fp32.
    let dtype = x.tape().autocast().map_or(logits.dtype(), |_| Dtype::F32);
    let scores = logits.softmax(dtype);
    scored_router::chosen(plan, experts, logits, &scores)
}
