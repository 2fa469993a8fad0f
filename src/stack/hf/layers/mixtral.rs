//! Mixtral (`transformers/models/mixtral/modeling_mixtral.py`).

use super::super::model::Layer;
use super::super::rotary::Shared;
use super::super::weight_adapter::Wrapped;
use super::experts::{Routing, normalized, sparse_block};
use super::llama;
use crate::plan::Plan;
use crate::replay::{Dtype, Tensor};

/// `MixtralDecoderLayer.forward`.
pub fn layer<'t>(layer: &Layer<'t>, plan: &Plan, x: Tensor<'t>, shared: &Shared<'t>) -> Tensor<'t> {
    llama::with_mlp(layer, plan, x, shared, |x| {
        match plan.arch.experts_of(layer.index.into()) {
            // `MixtralSparseMoeBlock.forward`.
            Some(experts) => sparse_block(layer, plan, experts, x, |x, router| {
                route(x, router, experts.per_token)
            }),
            None => layer.gated_mlp(plan, x),
        }
    })
}

/// `MixtralTopKRouter.forward`: the weights stay in fp32.
fn route<'t>(x: &Tensor<'t>, router: &Wrapped<'t>, per_token: u64) -> Routing<'t> {
    // `hidden_states.reshape(-1, self.hidden_dim)`: a view of its own.
    let x = x.reshape(x.layout().shape());
    let logits = x.linear(router.get(), None);
    let probabilities = logits.to(Dtype::F32).softmax(Dtype::F32);
    let (mut values, experts) = probabilities.top_k(per_token);
    values = normalized(&values);
    Routing {
        _logits: logits,
        weights: values,
        _experts: experts,
    }
}
