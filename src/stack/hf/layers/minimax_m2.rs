//! MiniMax M2 (`transformers/models/minimax_m2/modeling_minimax_m2.py`): norms over whole queries and keys, a part of each
//! head rotated, experts scored by a sigmoid.

use super::super::model::Layer;
use super::super::rotary::Shared;
use super::super::weight_adapter::Wrapped;
use super::experts::{Routing, normalized, sparse_block};
use super::{llama, olmoe};
use crate::model::Experts;
use crate::plan::Plan;
use crate::replay::{Dtype, Tensor};

/// `MiniMaxM2DecoderLayer.forward`.
pub fn layer<'t>(layer: &Layer<'t>, plan: &Plan, x: Tensor<'t>, shared: &Shared<'t>) -> Tensor<'t> {
    let rotate = |q: &Tensor<'t>, k: &Tensor<'t>| layer.rotated_in_part(q, k, shared);
    llama::with_modules(
        layer,
        plan,
        x,
        |x| olmoe::attention(layer, plan, x, shared, rotate),
        |x| match &plan.arch.experts {
            Some(experts) => sparse_block(layer, plan, experts, x, |x, router| {
                route(plan, experts, x, router)
            }),
            None => x.clone(),
        },
    )
}

/// `MiniMaxM2TopKRouter.forward`, without jitter.
fn route<'t>(plan: &Plan, experts: &Experts, x: &Tensor<'t>, router: &Wrapped<'t>) -> Routing<'t> {
    let tape = x.tape();
    let tokens = plan.batch * plan.seq;
    let x = x.reshape(x.layout().shape());
    let logits = {
        let x = x.to(router.dtype());
        x.linear(router.get(), None)
    };
    let scores = {
        let logits = logits.to(Dtype::F32);
        logits.squash("sigmoid")
    };
    let _for_choice = tape.temporary(&[tokens, experts.count], Dtype::F32, "add");
    let _values = tape.temporary(&[tokens, experts.per_token], Dtype::F32, "topk");
    let places = tape.temporary(&[tokens, experts.per_token], Dtype::I64, "topk");
    let mut weights = scores.gather_last(&places);
    weights = normalized(&weights);
    Routing {
        _logits: logits,
        weights,
        _experts: places,
    }
}
