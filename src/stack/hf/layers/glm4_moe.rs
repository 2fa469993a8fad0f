//! GLM 4.5 and its successors (`transformers/models/glm4_moe/modeling_glm4_moe.py`).

use super::super::model::Layer;
use super::super::rotary::Shared;
use super::super::weight_adapter::Wrapped;
use super::experts::{self, Routing, rows, unrows};
use super::{Attended, llama, scored_router};
use crate::plan::Plan;
use crate::replay::Tensor;

/// `Glm4MoeDecoderLayer.forward`.
pub fn layer<'t>(layer: &Layer<'t>, plan: &Plan, x: Tensor<'t>, shared: &Shared<'t>) -> Tensor<'t> {
    llama::with_modules(
        layer,
        plan,
        x,
        |x| attention(layer, plan, x, shared),
        |x| match plan.arch.experts_of(layer.index.into()) {
            Some(experts) => mixture(layer, plan, x, |x, router| {
                scored_router::route(plan, experts, x, router)
            }),
            None => layer.gated_mlp(plan, x),
        },
    )
}

/// `Glm4MoeAttention.forward`.
fn attention<'t>(layer: &Layer<'t>, plan: &Plan, x: &Tensor<'t>, shared: &Shared<'t>) -> Attended<'t> {
    let a = &plan.arch.attention;
    let heads = |path, n: u64| {
        let shape = [plan.batch, plan.seq, n, a.head_dim];
        layer.linear(path, x).reshape(&shape)
    };
    let mut q = heads("self_attn.q_proj", a.heads);
    let mut k = heads("self_attn.k_proj", a.kv_heads);
    let mut v = heads("self_attn.v_proj", a.kv_heads);
    if a.query_norm.is_some() {
        q = layer.norm(plan, "self_attn.q_norm", &q);
        k = layer.norm(plan, "self_attn.k_norm", &k);
    }
    (q, k, v) = (q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2));
    (q, k) = layer.rotated_in_part(&q, &k, shared);
    layer.attend(plan, q, k, v, shared)
}

/// `Glm4MoeMoE.forward`: shared experts beside the routed ones.
pub(super) fn mixture<'t>(
    layer: &Layer<'t>,
    plan: &Plan,
    x: &Tensor<'t>,
    route: impl FnOnce(&Tensor<'t>, &Wrapped<'t>) -> Routing<'t>,
) -> Tensor<'t> {
    let tape = x.tape();
    let routing = tape.within("mlp.gate", || Some(route(x, &layer.wrapped("mlp.gate.weight")?)));
    let (Some(routing), Some(experts)) = (routing, &plan.arch.experts) else {
        return x.clone();
    };
    let mut hidden = rows(plan, x);
    hidden = {
        let out = tape.within("mlp.experts", || {
            experts::forward(layer, plan, experts, &hidden, &routing)
        });
        unrows(plan, &out)
    };
    let paths = [
        "mlp.shared_experts.gate_proj",
        "mlp.shared_experts.up_proj",
        "mlp.shared_experts.down_proj",
    ];
    let shared = layer.gated_mlp_of(plan, x, paths);
    hidden.add(&shared)
}
