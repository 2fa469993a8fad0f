//! Qwen2 with experts (`transformers/models/qwen2_moe/modeling_qwen2_moe.py`).

use super::super::model::Layer;
use super::super::rotary::Shared;
use super::experts::{routed, rows, unrows};
use super::{llama, qwen3_moe};
use crate::model::Experts;
use crate::plan::Plan;
use crate::replay::Tensor;

/// `Qwen2MoeDecoderLayer.forward`.
pub fn layer<'t>(layer: &Layer<'t>, plan: &Plan, x: Tensor<'t>, shared: &Shared<'t>) -> Tensor<'t> {
    llama::with_mlp(layer, plan, x, shared, |x| {
        match plan.arch.experts_of(layer.index.into()) {
            Some(experts) => sparse_block(layer, plan, experts, x),
            None => layer.gated_mlp(plan, x),
        }
    })
}

/// `Qwen2MoeSparseMoeBlock.forward`: a gated shared expert beside the routed ones.
pub(super) fn sparse_block<'t>(
    layer: &Layer<'t>,
    plan: &Plan,
    experts: &Experts,
    x: &Tensor<'t>,
) -> Tensor<'t> {
    let rows = rows(plan, x);
    let paths = [
        "mlp.shared_expert.gate_proj",
        "mlp.shared_expert.up_proj",
        "mlp.shared_expert.down_proj",
    ];
    let mut shared = layer.gated_mlp_of(plan, &rows, paths);
    let Some((mut out, _routing)) = routed(layer, plan, experts, &rows, |x, router| {
        qwen3_moe::route(x, router, experts.per_token, experts.normalize)
    }) else {
        return x.clone();
    };
    let share = {
        let gate = layer.linear("mlp.shared_expert_gate", &rows);
        gate.squash("sigmoid")
    };
    shared = share.mul(&shared);
    drop(share);
    out = out.add(&shared);
    unrows(plan, &out)
}
